"""Compiled loops over two label maps of one image: border pixels of all classes, and exact distances between them.

All kernels of images are in this file, for the reason of `zoo.metrics.scoring_kernels`.

A map has one row of 0 above and below, and at least one column of 0 behind, so that beyond the image is outside. Its
rows are whole words of 8 pixels: most words are empty or within one object, and are decided at once.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from zoo.compiled import compile_function, compile_part

Pixels = NDArray[np.uint8]
Words = NDArray[np.uint64]
Whole = NDArray[np.int64]
Places = NDArray[np.int32]
Depths = NDArray[np.int16] | Places
Count = np.int16 | np.int32
Real = NDArray[np.float64]

WORD = 8

FAR = 1 << 29
"""A number of rows that no image has."""

SHORT = np.int16(1 << 14)
"""As `FAR`, for a box whose rows are counted in 16 bits, which takes half the time."""

SAME, LOW = np.uint64(0x0101010101010101), np.uint64(0x7F7F7F7F7F7F7F7F)
"""The lowest bit of each pixel of a word, and all bits but the highest."""

ONE, SEVEN, BITS, TOP = np.uint64(1), np.uint64(7), np.uint64(8), np.uint64(56)


@compile_part
def find_filled(word: np.uint64) -> np.uint64:
    """Return a word with 1 at each pixel that is not 0."""
    return (((word & LOW) + LOW) | word) >> SEVEN & SAME


@compile_part
def find_border(words: Words, word: int, row: np.uint64) -> np.uint64:
    """Return a word with 1 at each border pixel: a face neighbour has another value."""
    here = words[word]
    left = here << BITS | words[word - ONE] >> TOP
    right = here >> BITS | words[word + ONE] << TOP
    differs = (here ^ left) | (here ^ right) | (here ^ words[word - row]) | (here ^ words[word + row])
    return find_filled(here) & find_filled(differs)


@compile_part
def list_word(map_: Pixels, start: np.uint64, border: np.uint64, places: Places, number: int, totals: Whole) -> int:
    """List the border pixels of a word, and count those of each class."""
    while border:
        before = border - ONE
        place = start + ((before & ~border & SAME) * SAME >> TOP)  # the pixels below the lowest border pixel
        places[np.uint64(number)] = place
        totals[np.uint64(map_[place])] += 1
        number += 1
        border &= before
    return number


@compile_function
def list_image(maps: Pixels, words: Words, width: int, counts: Whole, totals: Whole, places: Places) -> None:
    """Count the pixels of each class in two maps, and list their border pixels.

    Args:
        maps: Both maps [2, pixels], with the rows and columns around.
        words: The same memory as words [2, pixels / 8], in little-endian order.
        width: Length of a row of a map.
        counts: Increased by the pixels per class [3, 256]: of the first map, of the second map, and of both at once.
        totals: Receives the border pixels per class [2, 256]; zeros before.
        places: Receives the indices of the border pixels [2, N], row by row.
    """
    row = np.uint64(width // WORD)
    first, second = 0, 0
    value = np.uint64(1)  # nearly all words have one class, which is that of the word before
    for word in range(row, np.uint64(words.shape[1]) - row):
        one, other = words[0, word], words[1, word]
        if one | other == 0:
            continue
        start = word << np.uint64(3)
        filled, others, differs = find_filled(one), find_filled(other), find_filled(one ^ other)
        if one == filled * value and other == others * value:
            counts[0, value] += np.int64(filled * SAME >> TOP)
            counts[1, value] += np.int64(others * SAME >> TOP)
            counts[2, value] += np.int64((filled & ~differs) * SAME >> TOP)
        else:
            for place in range(start, start + BITS):
                here, there = np.uint64(maps[0, place]), np.uint64(maps[1, place])
                counts[0, here] += 1
                counts[1, there] += 1
                if here == there:
                    counts[2, here] += 1
                value = max(here, there, np.uint64(1))
        border = find_border(words[0], word, row)
        if border:
            first = list_word(maps[0], start, border, places[0], first, totals[0])
        border = find_border(words[1], word, row)
        if border:
            second = list_word(maps[1], start, border, places[1], second, totals[1])


@compile_function
def take_class(map_: Pixels, places: Places, number: int, wanted: int, total: int, width: int) -> Places:
    """Return row and column [2, N] of the border pixels of one class, row by row."""
    taken = np.empty((2, total), np.int32)
    found, row, start = 0, 0, 0
    for index in range(number):
        place = places[index]
        if map_[place] == wanted:
            while place >= start + width:  # a division for each pixel takes longer
                row, start = row + 1, start + width
            taken[0, found], taken[1, found] = row, place - start
            found += 1
    return taken


@compile_function
def find_depths(goals: Places, top: int, left: int, far: Count, depths: Depths) -> None:
    """Compute the number of rows from each pixel of a box to the nearest goal of its column.

    Args:
        goals: Row and column of the goals [2, N], row by row.
        top: First row of the box.
        left: First column of the box.
        far: Least number of rows in a column without a goal: `SHORT` or `FAR`, of the type of `depths`.
        depths: Receives the numbers [rows, columns].
    """
    goal, number = 0, depths.dtype.type
    one = number(1)
    for row in range(depths.shape[0]):
        for column in range(depths.shape[1]):
            depths[row, column] = number(depths[row - 1, column] + one) if row else far
        while goal < goals.shape[1] and goals[0, goal] - top == row:
            depths[row, goals[1, goal] - left] = 0
            goal += 1
    for row in range(depths.shape[0] - 2, -1, -1):
        for column in range(depths.shape[1]):
            depths[row, column] = min(depths[row, column], number(depths[row + 1, column] + one))


@compile_function
def measure_border(
    border: Places,
    top: int,
    left: int,
    depths: Depths,
    spacing: tuple[float, float],
    ranks: Places,
    found: Whole,
    far: Real,
) -> int:
    """Count the border pixels by their distance to the nearest goal, and list the distances that have no rank.

    Columns nearby come first; the search ends where the next column is farther than the nearest goal so far.
    """
    beyond = 0
    for index in range(border.shape[1]):
        row, column = border[0, index] - top, border[1, index] - left
        depth, nearest = depths[row, column], 0
        best = (depth * spacing[0]) ** 2
        for step in range(1, depths.shape[1]):
            along = (step * spacing[1]) ** 2
            if along >= best:
                break
            before = depths[row, column - step] if step <= column else FAR
            behind = depths[row, column + step] if column + step < depths.shape[1] else FAR
            square = (min(before, behind) * spacing[0]) ** 2 + along
            if square < best:
                best, depth, nearest = square, min(before, behind), step
        rank = ranks[depth, nearest] if depth < ranks.shape[0] and nearest < ranks.shape[1] else -1
        if rank >= 0:
            found[rank] += 1
        else:
            far[beyond] = np.sqrt(best)
            beyond += 1
    return beyond


@compile_function
def measure_both(
    first: Places,
    second: Places,
    top: int,
    left: int,
    depths: Depths,
    limit: Count,
    spacing: tuple[float, float],
    ranks: Places,
    near: Whole,
    far: Real,
) -> tuple[int, int]:
    """Compute the distances between two borders in the box of both; `depths` is overwritten."""
    find_depths(second, top, left, limit, depths)
    there = measure_border(first, top, left, depths, spacing, ranks, near[0], far[0])
    find_depths(first, top, left, limit, depths)
    return there, measure_border(second, top, left, depths, spacing, ranks, near[1], far[1])


@compile_function
def measure_class(
    maps: Pixels,
    places: Places,
    totals: Whole,
    wanted: int,
    width: int,
    spacing: tuple[float, float],
    ranks: Places,
    near: Whole,
    far: Real,
) -> tuple[int, int]:
    """Compute the distances between the borders of one class, which has pixels in both maps.

    Args:
        maps: Both maps [2, pixels], with the rows and columns around.
        places: The indices of their border pixels [2, N] of all classes, row by row.
        totals: The number of border pixels per class [2, 256].
        wanted: The class.
        width: Length of a row of a map.
        spacing: Height and width of a pixel.
        ranks: The rank of the distance of each number of rows and of columns; -1 for a long distance.
        near: Increased by the number of border pixels of each map [2, ranks] by the distance to the other border.
        far: Receives the distances [2, N] without a rank.

    Returns:
        The number of such distances of both maps.
    """
    first = take_class(maps[0], places[0], totals[0].sum(), wanted, totals[0, wanted], width)
    second = take_class(maps[1], places[1], totals[1].sum(), wanted, totals[1, wanted], width)
    top, bottom = min(first[0, 0], second[0, 0]), max(first[0, -1], second[0, -1])
    left, right = width, 0
    for border in (first, second):
        for index in range(border.shape[1]):
            left, right = min(left, border[1, index]), max(right, border[1, index])
    box = bottom - top + 1, right - left + 1
    if box[0] * spacing[0] + box[1] * spacing[1] < SHORT * spacing[0]:  # no distance in the box is longer
        return measure_both(first, second, top, left, np.empty(box, np.int16), SHORT, spacing, ranks, near, far)
    return measure_both(first, second, top, left, np.empty(box, np.int32), np.int32(FAR), spacing, ranks, near, far)
