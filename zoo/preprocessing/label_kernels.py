"""Compiled loops of `LabelGrid`: the class of each voxel of the network grid, and of each voxel of the output grid.

`LabelGrid` explains the method. The kernels release the GIL and start no threads of their own.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from zoo.compiled import compile_function
from zoo.preprocessing.logit_rows import MARGIN, TINY, UNSURE

Real = NDArray[np.float32]
Index = NDArray[np.int32]
Labels = NDArray[np.uint8]

_LOWEST = np.float32(np.finfo(np.float32).min)
_NUMBER_UNSURE = np.uint8(UNSURE)
_MARGIN = np.float32(MARGIN)
_TINY = np.float32(TINY)
_SEGMENT = 2048  # voxels whose running values stay in the fastest cache


@compile_function
def code_rows(values: Real, start: int, stop: int, floor: int, codes: Labels) -> bool:
    """Find the class with the largest logit in each voxel of some rows, or `UNSURE` where a lower class is close.

    Args:
        values: Logits [C, R, P]; row x of the image is at x % R.
        start: First row.
        stop: Row after the last one.
        floor: 1: a class 0 with the logit 0 comes before the channels; 0: the first channel is class 0.
        codes: Receives the classes, [X, P].

    Returns:
        Whether all logits are finite.
    """
    channels, ring, places = values.shape
    best, low, check = np.empty(_SEGMENT, np.float32), np.empty(_SEGMENT, np.float32), np.empty(_SEGMENT, np.float32)
    finite = True
    for x in range(start, stop):
        for begin in range(0, places, _SEGMENT):
            end = min(begin + _SEGMENT, places)
            size = end - begin
            label = codes[x, begin:end]
            for z in range(size):
                best[z] = np.float32(0) if floor else _LOWEST
                low[z] = _LOWEST
                check[z] = np.float32(0)
                label[z] = 0
            for c in range(0, channels, 2):  # in pairs, so that the running values are read and written half as often
                second = min(c + 1, channels - 1)  # the last channel once more changes nothing
                lines = values[c, x % ring, begin:end], values[second, x % ring, begin:end]
                numbers = np.uint8(c + floor), np.uint8(second + floor)
                for z in range(size):
                    one, two = lines[0][z], lines[1][z]
                    more = one > best[z]
                    lower, top, chosen = (best[z], one, numbers[0]) if more else (low[z], best[z], label[z])
                    more = two > top
                    low[z] = top if more else lower
                    label[z] = numbers[1] if more else chosen
                    best[z] = two if more else top
                    check[z] += one * np.float32(0) + two * np.float32(0)  # not a number where a value is not finite
            for z in range(size):
                below = low[z] + _MARGIN * abs(low[z]) + _TINY
                label[z] = label[z] if below < best[z] - _MARGIN * abs(best[z]) else _NUMBER_UNSURE
                finite = finite and check[z] == np.float32(0)
    return finite


@compile_function
def label_rows(
    values: Real,
    weights: Real,
    codes: Labels,
    low: tuple[Index, Index, Index],
    high: tuple[Index, Index, Index],
    share: tuple[Real, Real, Real],
    start: int,
    floor: int,
    labels: Labels,
    unsure: Labels,
) -> None:
    """Find the class of each voxel of some rows of the output grid.

    Args:
        values: Logits [C, R * Y * Z], as in `code_rows`.
        weights: Sum of the weights of each logit, [R * Y * Z]; empty where the logits are means already.
        codes: Classes on the network grid, [X, Y, Z], as `code_rows` finds them.
        low: Per axis, the lower voxel of the network grid beside each output voxel.
        high: Per axis, the upper one.
        share: Per axis, the weight of the upper one.
        start: First output row.
        floor: As in `code_rows`.
        labels: Receives the classes, [rows, NY, NZ].
        unsure: Set to 1 for each row [rows, NY] with a voxel that rounding could decide.
    """
    channels = values.shape[0]
    _, height, width = codes.shape
    ring = values.shape[1] // (height * width)
    same = np.empty(width, np.uint8)
    row_start, row_weight = np.empty(4, np.int64), np.empty(4, np.float64)  # of the input rows beside an output row
    place, coefficient = np.empty(8, np.int64), np.empty(8, np.float64)
    mean, size = np.empty(channels, np.float64), np.empty(channels, np.float64)
    rows, columns, length = labels.shape
    for i in range(rows):
        x0, x1, up = low[0][start + i], high[0][start + i], share[0][start + i]
        for j in range(columns):
            y0, y1, right = low[1][j], high[1][j], share[1][j]
            out = labels[i, j]
            if combine_rows(codes[x0, y0], codes[x0, y1], codes[x1, y0], codes[x1, y1], same):
                out[:] = same[0]
                continue
            beside = (int(x0 % ring), int(x1 % ring)), (int(y0), int(y1))
            count = weigh_rows(beside, (up, right), height, width, row_start, row_weight)
            for k in range(length):
                z0, z1 = low[2][k], high[2][k]
                label = same[z0]
                out[k] = label
                if label == same[z1] and label != _NUMBER_UNSURE:
                    continue
                ahead = share[2][k]
                corners = 0
                for row in range(count):
                    for upper in range(2):
                        z, wz = (z1, ahead) if upper else (z0, np.float32(1) - ahead)
                        if wz > 0:
                            where = row_start[row] + z
                            total = weights[where] if weights.size else np.float32(1)
                            place[corners] = where
                            coefficient[corners] = row_weight[row] * wz / (total if total > 0 else np.float32(1))
                            corners += 1
                top, chosen = (0.0, 0) if floor else (-np.inf, 0)
                for c in range(channels):
                    one, magnitude = 0.0, 0.0
                    for corner in range(corners):
                        term = coefficient[corner] * values[c, place[corner]]
                        one += term
                        magnitude += abs(term)
                    mean[c], size[c] = one, magnitude
                    if one > top:
                        top, chosen = one, c + floor
                out[k] = chosen
                if is_close(values, place[:corners], mean, size, chosen, floor):
                    unsure[i, j] = 1


@compile_function
def weigh_rows(
    rows: tuple[tuple[int, int], tuple[int, int]],
    share: tuple[float, float],
    height: int,
    width: int,
    row_start: NDArray[np.int64],
    row_weight: NDArray[np.float64],
) -> int:
    """Find the input rows beside an output row whose weight is not 0, at most four.

    Args:
        rows: The lower and the upper input row of the first axis and of the second axis.
        share: Per axis, the weight of the upper one.
        height: Input rows of the second axis.
        width: Voxels of a row.
        row_start: Receives the index of the first voxel of each row, [4].
        row_weight: Receives the weight of each row, [4].

    Returns:
        The number of rows.
    """
    found = 0
    for corner in range(4):
        first, second = corner >> 1, corner & 1
        wx = share[0] if first else np.float32(1) - share[0]
        wy = share[1] if second else np.float32(1) - share[1]
        if wx > 0 and wy > 0:
            row_start[found] = (rows[0][first] * height + rows[1][second]) * width
            row_weight[found] = np.float64(wx) * wy
            found += 1
    return found


@compile_function
def combine_rows(one: Labels, two: Labels, three: Labels, four: Labels, same: Labels) -> bool:
    """Find the class of each place that four rows share, `UNSURE` where they differ.

    Returns:
        Whether all places of all rows have one class.
    """
    first, others = one[0], np.uint8(0)
    for z in range(one.size):
        differ = (one[z] ^ two[z]) | (one[z] ^ three[z]) | (one[z] ^ four[z])
        same[z] = one[z] if differ == 0 else _NUMBER_UNSURE
        others |= differ | (one[z] ^ first)
    return bool(others == 0 and first != _NUMBER_UNSURE)


@compile_function
def is_close(
    values: Real, place: NDArray[np.int64], mean: NDArray[np.float64], size: NDArray[np.float64], label: int, floor: int
) -> bool:
    """Return whether rounding in single precision could give another class than `label` the largest mean.

    A class with the same logits in all corners gets the same mean in any arithmetic, so it is not close.

    Args:
        values: As in `label_rows`.
        place: Index of each corner whose weight is not 0.
        mean: Interpolated logit of each channel.
        size: Sum of the absolute values of its terms.
        label: The class with the largest mean.
        floor: As in `code_rows`.
    """
    best = label - floor
    top, slack = (mean[best], size[best]) if best >= 0 else (0.0, 0.0)
    if floor and best >= 0 and top <= MARGIN * slack + TINY:
        return True
    for c in range(mean.size):
        if c == best or top - mean[c] > MARGIN * (slack + size[c]) + TINY:
            continue
        for corner in range(place.size):
            if best < 0 or values[c, place[corner]] != values[best, place[corner]]:
                return True
    return False
