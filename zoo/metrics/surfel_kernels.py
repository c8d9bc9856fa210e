"""Compiled loops over two label maps: corners of voxels on the surface of a class, and their nearest ones.

A map has the shape [X, Y, Z] and one voxel of 0 around the image. A corner has the index of the lowest of the eight
voxels that meet there (`zoo.metrics.surfel_areas`). In 2D, X is 1 without voxels around, and the two halves of the
eight are the same four.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from zoo.compiled import compile_function, compile_part

Voxels = NDArray[np.uint8]
Whole = NDArray[np.int64]

MEETING = 8
"""Number of voxels that meet at a corner."""


@compile_function
def mark_mixed(shape: tuple[int, int, int], stops: tuple[int, int], map_: Voxels, jumps: Whole, mixed: Voxels) -> int:
    """Mark the corners whose voxels are not all of one class.

    Args:
        shape: X, Y and Z.
        stops: Number of corners along X and Y.
        map_: The map [X * Y * Z].
        jumps: Differences of indices [8] to the voxels of a corner.
        mixed: Receives a value other than 0 [X * Y * Z, rounded up] at these corners; zeros before.

    Returns:
        Their number.
    """
    length = np.uint64(shape[2] - 1)
    number = 0
    for x in range(stops[0]):
        for y in range(stops[1]):
            rows = np.uint64((x * shape[1] + y) * shape[2])
            second, third, fourth = rows + np.uint64(jumps[2]), rows + np.uint64(jumps[4]), rows + np.uint64(jumps[6])
            some = np.uint8(0)
            for z in range(length + np.uint64(1)):
                some |= map_[rows + z] | map_[second + z] | map_[third + z] | map_[fourth + z]
            if some == 0:
                continue
            here = 0
            for z in range(length):
                first = map_[rows + z]
                after = z + np.uint64(1)
                near = (first ^ map_[rows + after]) | (first ^ map_[second + z]) | (first ^ map_[second + after])
                far = (first ^ map_[third + z]) | (first ^ map_[third + after])
                last = (first ^ map_[fourth + z]) | (first ^ map_[fourth + after])
                differs = (near | far | last) != 0
                mixed[rows + z] = differs
                here += differs
            number += here
    return number


@compile_part
def find_code(map_: Voxels, place: int, jumps: Whole, value: np.uint8) -> np.uint8:
    """Return which voxels of a corner are of a class, as `zoo.metrics.surfel_areas` numbers them."""
    code = np.uint8(0)
    for bit in range(MEETING):
        code |= np.uint8(map_[place + jumps[bit]] == value) << np.uint8(bit)
    return code


@compile_part
def has_class(map_: Voxels, place: int, jumps: Whole, value: np.uint8) -> bool:
    """Return whether one of the voxels of a corner is of a class."""
    found = False
    for bit in range(MEETING):
        found |= map_[place + jumps[bit]] == value
    return found


@compile_part
def is_new(map_: Voxels, place: int, jumps: Whole, bit: int) -> bool:
    """Return whether none of the voxels of a corner before this one has its class."""
    found = False
    for earlier in range(bit):
        found |= map_[place + jumps[earlier]] == map_[place + jumps[bit]]
    return not found


@compile_function
def find_classes(
    map_: Voxels, mixed: Voxels, words: NDArray[np.uint64], jumps: Whole, present: NDArray[np.bool_]
) -> None:
    """Find the classes of a map: each has a surface, because the voxels around the image have none.

    Args:
        map_: The map [X * Y * Z].
        mixed: Its corners of `mark_mixed`.
        words: The same memory as words of 8.
        jumps: Differences of indices [8] to the voxels of a corner.
        present: Set to True for each value [256] of the map.
    """
    for word in range(words.size):
        if words[word] == 0:
            continue
        for place in range(word * MEETING, word * MEETING + MEETING):
            if mixed[place]:
                for bit in range(MEETING):
                    present[map_[place + jumps[bit]]] = True


@compile_function
def search_surfels(
    own: int,
    shape: tuple[int, int, int],
    map_: Voxels,
    mixed: Voxels,
    words: NDArray[np.uint64],
    other: Voxels,
    other_mixed: Voxels,
    jumps: Whole,
    paired: NDArray[np.bool_],
    kinds: Voxels,
    steps: Whole,
    leaps: Whole,
    ranks: Whole,
    found: Whole,
    far: Whole,
) -> int:
    """Count the corners on surfaces of one map by class, distance to the surface in the other map, and area.

    Args:
        own: Which map the corners are of.
        shape: X, Y and Z.
        map_: This map [X * Y * Z].
        mixed: Its corners of `mark_mixed`.
        words: The same memory as words of 8.
        other: The other map.
        other_mixed: Its corners.
        jumps: Differences of indices [8] to the voxels of a corner.
        paired: Which values [256] are classes with voxels in both maps; the others are left out.
        kinds: The number of the area of each code [256].
        steps: Offsets [N, 3], the shortest first; the first is 0.
        leaps: The same offsets [N] as differences of indices.
        ranks: Rank [N] of the length of each offset among the different lengths.
        found: Increased by the number of corners [classes + 1, 2, ranks, areas].
        far: Receives index, class and area number [3, M] of the corners whose nearest one is beyond all offsets.

    Returns:
        The number of far corners.
    """
    missing = 0
    for word in range(words.size):
        if words[word] == 0:
            continue
        for place in range(word * MEETING, word * MEETING + MEETING):
            if mixed[place] == 0:
                continue
            x, y, z = place // (shape[1] * shape[2]), place // shape[2] % shape[1], place % shape[2]
            for bit in range(MEETING):
                value = map_[place + jumps[bit]]
                if not paired[value] or not is_new(map_, place, jumps, bit):
                    continue
                kind = kinds[find_code(map_, place, jumps, value)]
                hit = -1
                for entry in range(leaps.size):
                    u, v, w = x + steps[entry, 0], y + steps[entry, 1], z + steps[entry, 2]
                    if not (0 <= u < shape[0] and 0 <= v < shape[1] and 0 <= w < shape[2]):
                        continue
                    goal = place + leaps[entry]
                    if other_mixed[goal] and has_class(other, goal, jumps, value):
                        hit = entry
                        break
                if hit >= 0:
                    found[value, own, ranks[hit], kind] += 1
                else:
                    far[0, missing], far[1, missing], far[2, missing] = place, value, kind
                    missing += 1
    return missing


@compile_function
def list_surfels(
    map_: Voxels,
    mixed: Voxels,
    words: NDArray[np.uint64],
    jumps: Whole,
    wanted: NDArray[np.bool_],
    starts: Whole,
    places: Whole,
) -> None:
    """List the corners on the surfaces of some classes of one map, class by class.

    Args:
        map_: The map [X * Y * Z].
        mixed: Its corners of `mark_mixed`.
        words: The same memory as words of 8.
        jumps: Differences of indices [8] to the voxels of a corner.
        wanted: Which values [256] are listed.
        starts: Where the list of each value [256] begins; increased by the number of its corners.
        places: Receives the indices [M].
    """
    for word in range(words.size):
        if words[word] == 0:
            continue
        for place in range(word * MEETING, word * MEETING + MEETING):
            if mixed[place] == 0:
                continue
            for bit in range(MEETING):
                value = map_[place + jumps[bit]]
                if wanted[value] and is_new(map_, place, jumps, bit):
                    places[starts[value]] = place
                    starts[value] += 1
