"""Compiled loops over two label maps: border voxels of all classes, and the distance of each to the other border.

All kernels of volumes are in this file, because the stored machine code of a kernel is renewed by changes of its own
file alone. They release the GIL and start no threads of their own: threads of numba do not survive a fork.

A map has the shape [X, Y, Z]. A map of borders has the value of the class at its border voxels, else 0. Its rows are
padded to words of 8 voxels, so that 8 are skipped at once.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from zoo.compiled import compile_function, compile_part

Voxels = NDArray[np.uint8]
Whole = NDArray[np.int64]
Coordinates = NDArray[np.int32]
Real = NDArray[np.float64]

Index = np.uint64
"""numba tests whether a signed index is negative, which takes time in an inner loop."""

ONE = np.uint64(1)

WORD = 8
"""Number of voxels in a word, and of table entries that are read at once."""


@compile_part
def mark_row(
    map_: Voxels,
    row: Index,
    neighbours: tuple[Index, Index, Index, Index],
    width: Index,
    at_edge: bool,
    border: Voxels,
    into: Index,
) -> None:
    """Mark the border voxels of one row: a face neighbour has another value, or is beyond the image."""
    last = width - ONE
    if at_edge:
        for z in range(width):
            border[into + z] = map_[row + z]
        return
    before, behind, left, right = neighbours
    border[into], border[into + last] = map_[row], map_[row + last]
    for z in range(ONE, last):
        here = map_[row + z]
        along = (here ^ map_[row + z - ONE]) | (here ^ map_[row + z + ONE])
        across = (here ^ map_[before + z]) | (here ^ map_[behind + z])
        aside = (here ^ map_[left + z]) | (here ^ map_[right + z])
        border[into + z] = here if along | across | aside else np.uint8(0)


@compile_function
def mark_borders(
    start: int,
    stop: int,
    shape: tuple[int, int, int],
    first: Voxels,
    second: Voxels,
    padded: int,
    first_border: Voxels,
    second_border: Voxels,
    filled: Voxels,
    counts: Whole,
) -> None:
    """Mark the border voxels of both maps in the slabs from `start` to `stop`, and count the voxels of each class.

    Args:
        start: First slab.
        stop: Slab after the last one.
        shape: X, Y and Z.
        first: One map [X * Y * Z].
        second: The other map [X * Y * Z].
        padded: Length of a row of borders.
        first_border: Receives the border of the first map [X * Y * padded]; zeros before.
        second_border: Receives the border of the second map.
        filled: Set to 1 for each row [X * Y] with a voxel of a class.
        counts: Increased by the voxels per class [3, 256]: of the first map, of the second map, and of both at once.
    """
    depth, height, width = shape[0], shape[1], np.uint64(shape[2])
    slab = width * np.uint64(height)
    for x in range(start, stop):
        for y in range(height):
            row = np.uint64(x * height + y) * width
            some = np.uint8(0)
            for z in range(width):
                some |= first[row + z] | second[row + z]
            if some == 0:
                continue
            filled[x * height + y] = 1
            for z in range(width):
                one, other = first[row + z], second[row + z]
                if one | other:
                    counts[0, np.uint64(one)] += 1
                    counts[1, np.uint64(other)] += 1
                    if one == other:
                        counts[2, np.uint64(one)] += 1
            neighbours = (
                row if x == 0 else row - slab,
                row if x == depth - 1 else row + slab,
                row if y == 0 else row - width,
                row if y == height - 1 else row + width,
            )
            at_edge = y in (0, height - 1) or x in (0, depth - 1)
            into = np.uint64(x * height + y) * np.uint64(padded)
            mark_row(first, row, neighbours, width, at_edge, first_border, into)
            mark_row(second, row, neighbours, width, at_edge, second_border, into)


@compile_part
def look_inside(goal: Voxels, place: int, value: np.uint8, jumps: Whole, unit: int) -> int:
    """Return the first entry of a table of offsets that leads to a border voxel of a class; -1 without one.

    Entries are read by eight, because a branch for each would take longer than the reads.
    """
    for entry in range(0, jumps.shape[1], WORD):
        if (
            (goal[np.uint64(place + jumps[unit, entry])] == value)
            | (goal[np.uint64(place + jumps[unit, entry + 1])] == value)
            | (goal[np.uint64(place + jumps[unit, entry + 2])] == value)
            | (goal[np.uint64(place + jumps[unit, entry + 3])] == value)
            | (goal[np.uint64(place + jumps[unit, entry + 4])] == value)
            | (goal[np.uint64(place + jumps[unit, entry + 5])] == value)
            | (goal[np.uint64(place + jumps[unit, entry + 6])] == value)
            | (goal[np.uint64(place + jumps[unit, entry + 7])] == value)
        ):
            hit = entry
            while goal[np.uint64(place + jumps[unit, hit])] != value:
                hit += 1
            return hit
    return -1


@compile_part
def look_at_edge(
    goal: Voxels, place: int, value: np.uint8, steps: Whole, jumps: Whole, unit: int, shape: tuple[int, int, int]
) -> int:
    """Do the same for a voxel so near to the edge of the image that some offsets lead out of it."""
    x, y, z = place // (shape[1] * shape[2]), place // shape[2] % shape[1], place % shape[2]
    for entry in range(steps.shape[1]):
        u, v, w = x + steps[unit, entry, 0], y + steps[unit, entry, 1], z + steps[unit, entry, 2]
        within = 0 <= u < shape[0] and 0 <= v < shape[1] and 0 <= w < shape[2]
        if within and goal[np.uint64(place + jumps[unit, entry])] == value:
            return entry
    return -1


@compile_function
def search_near(  # noqa: PLR0912  # one loop: a call for each row takes as long as the row
    own: int,
    start: int,
    stop: int,
    shape: tuple[int, int, int],
    border: Voxels,
    words: NDArray[np.uint64],
    goal: Voxels,
    filled: Voxels,
    paired: NDArray[np.bool_],
    steps: Whole,
    jumps: Whole,
    ranks: Whole,
    reach: tuple[int, int, int],
    found: Whole,
    far: Whole,
    missing: Whole,
) -> None:
    """Count the border voxels of the slabs from `start` to `stop` by class and distance to the other border.

    Args:
        own: Which map the voxels are of.
        start: First slab.
        stop: Slab after the last one.
        shape: X, Y and Z, where Z is padded.
        border: The border of this map [X * Y * Z].
        words: The same memory as words [X * Y * Z / 8].
        goal: The border of the other map [X * Y * Z].
        filled: Which rows [X * Y] have a voxel of a class.
        paired: Which values [256] are classes with voxels in both maps; the others are left out.
        steps: Offsets [units, N, 3] for each unit of distance, the shortest first; the first is 0, and 8 divides N.
        jumps: The same offsets [units, N] as differences of indices.
        ranks: Rank [units, N] of the length of each offset among the different lengths.
        reach: The largest offset along each axis.
        found: Increased by the number of border voxels [units, classes + 1, 2, ranks].
        far: Receives the indices [units, M] of the voxels whose nearest one is beyond all offsets.
        missing: Receives their number [units]; zeros before.
    """
    units = steps.shape[0]
    for x in range(start, stop):
        for y in range(shape[1]):
            if not filled[x * shape[1] + y]:
                continue
            row = (x * shape[1] + y) * shape[2]
            row_is_inside = reach[0] <= x < shape[0] - reach[0] and reach[1] <= y < shape[1] - reach[1]
            low, high = row + reach[2], row + shape[2] - reach[2]
            for word in range(row // WORD, (row + shape[2]) // WORD):
                if words[word] == 0:
                    continue
                for place in range(word * WORD, word * WORD + WORD):
                    value = np.uint64(border[np.uint64(place)])
                    if not paired[value]:
                        continue
                    if goal[np.uint64(place)] == value:
                        for unit in range(units):
                            found[unit, value, own, 0] += 1
                        continue
                    for unit in range(units):
                        if row_is_inside and low <= place < high:
                            entry = look_inside(goal, place, border[np.uint64(place)], jumps, unit)
                        else:
                            entry = look_at_edge(goal, place, border[np.uint64(place)], steps, jumps, unit, shape)
                        if entry < 0:
                            far[unit, missing[unit]] = place
                            missing[unit] += 1
                        else:
                            found[unit, value, own, ranks[unit, entry]] += 1


@compile_function
def list_borders(
    shape: tuple[int, int, int],
    border: Voxels,
    words: NDArray[np.uint64],
    filled: Voxels,
    wanted: NDArray[np.bool_],
    starts: Whole,
    places: Coordinates,
) -> None:
    """List the border voxels of some classes of one map, class by class.

    Args:
        shape: X, Y and Z, where Z is padded.
        border: The border [X * Y * Z] of the map.
        words: The same memory as words [X * Y * Z / 8].
        filled: Which rows [X * Y] have a voxel of a class.
        wanted: Which values [256] are listed; 0 is not.
        starts: Where the list of each value [256] begins; increased by the number of its voxels.
        places: Receives the coordinates [3, M].
    """
    for line in range(shape[0] * shape[1]):
        if not filled[line]:
            continue
        row = line * shape[2]
        for word in range(row // WORD, (row + shape[2]) // WORD):
            if words[word] == 0:
                continue
            for place in range(word * WORD, word * WORD + WORD):
                value = np.uint64(border[np.uint64(place)])
                if wanted[value]:
                    index = np.uint64(starts[value])
                    places[0, index], places[1, index] = line // shape[1], line % shape[1]
                    places[2, index] = place - row
                    starts[value] += 1


@compile_function
def search_far(
    places: Coordinates,
    goals: Coordinates,
    starts: Whole,
    lowest: Coordinates,
    highest: Coordinates,
    scale: Real,
    squares: Real,
) -> None:
    """Find the nearest goal of each place, for places that are far from all goals.

    Goals are in cells. Where the box around the goals of a cell is farther than a known goal, none of them is compared.
    Neighbouring places have the same nearest goal or one next to it, so the goal of the place before is the first.

    Args:
        places: Border voxels [3, M], neighbours near each other.
        goals: Border voxels [3, N] of the other map, sorted by cell.
        starts: Where the goals of each cell begin [cells + 1]; those of a cell end where those of the next begin.
        lowest: The lowest coordinates [3, cells] of the goals of each cell.
        highest: The highest ones.
        scale: Size of a voxel along each axis [3].
        squares: Receives the squared distance [M] from each place to its nearest goal.
    """
    nearest = 0
    for index in range(places.shape[1]):
        x, y, z = places[0, index], places[1, index], places[2, index]
        a, b, c = goals[0, nearest] - x, goals[1, nearest] - y, goals[2, nearest] - z
        best = (a * scale[0]) ** 2 + (b * scale[1]) ** 2 + (c * scale[2]) ** 2
        for cell in range(starts.size - 1):
            a = max(lowest[0, cell] - x, 0, x - highest[0, cell])
            b = max(lowest[1, cell] - y, 0, y - highest[1, cell])
            c = max(lowest[2, cell] - z, 0, z - highest[2, cell])
            if (a * scale[0]) ** 2 + (b * scale[1]) ** 2 + (c * scale[2]) ** 2 >= best:
                continue
            for goal in range(starts[cell], starts[cell + 1]):
                a, b, c = goals[0, goal] - x, goals[1, goal] - y, goals[2, goal] - z
                square = (a * scale[0]) ** 2 + (b * scale[1]) ** 2 + (c * scale[2]) ** 2
                if square < best:
                    best, nearest = square, goal
        squares[index] = best
