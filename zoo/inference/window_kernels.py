"""Compiled loop of `WindowSums`."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from zoo.compiled import compile_function

Real = NDArray[np.floating[Any]]


@compile_function
def add_window(
    values: Real, place: tuple[int, int, int], window: Real, importance: Real, start: int, stop: int
) -> None:
    """Add the weighted logits of a window to some channels of the sums.

    Each product is rounded before it is added, as by two operations of torch, so that the sums are equal to them.

    Args:
        values: Sums [C, R, Y, Z]; row x of the image is at x % R.
        place: First voxel of the window.
        window: Its logits [C, P, Q, S].
        importance: The weight of each voxel [P, Q, S].
        start: First channel.
        stop: Channel after the last one.
    """
    ring = values.shape[1]
    _, depth, height, width = window.shape
    for c in range(start, stop):
        for x in range(depth):
            row = (place[0] + x) % ring
            for y in range(height):
                sums = values[c, row, place[1] + y, place[2] : place[2] + width]
                logits, weight = window[c, x, y], importance[x, y]
                for z in range(width):
                    sums[z] += logits[z] * weight[z]
