"""Tables of offsets in ascending order of their length: where to look for the nearest voxel."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

_OFFSETS = 1000
"""About the number of offsets of a table. With more of them, the search among all border voxels takes less time."""

_MULTIPLE = 8


class OffsetTables(NamedTuple):
    """One table for each unit of distance.

    Attributes:
        steps: The offsets [units, N, 3], the shortest first; the first is 0. Zeros fill up a table, and 8 divides N.
        jumps: The same offsets [units, N] as differences of the indices of a volume.
        ranks: Rank [units, N] of the length of each offset among the different lengths.
        reach: The largest offset along each axis.
        lengths: The different lengths of each table, in ascending order. A table has all up to its last one.
    """

    steps: NDArray[np.int64]
    jumps: NDArray[np.int64]
    ranks: NDArray[np.int64]
    reach: tuple[int, int, int]
    lengths: tuple[NDArray[np.float64], ...]


@lru_cache(64)
def make_tables(units: tuple[tuple[float, ...], ...], flat: bool, height: int, width: int) -> OffsetTables:
    """Make the tables of some units of distance.

    Args:
        units: The size of a voxel along each axis [3], in each unit.
        flat: Whether offsets along the first axis are left out, because the image has two dimensions.
        height: Number of rows of a slab of the volume.
        width: Length of a row in memory.

    Example:
        >>> make_tables(((1.0, 1.0, 1.0),), flat=True, height=4, width=8).lengths[0][:3].round(3).tolist()
        [0.0, 1.0, 1.414]
    """
    tables = [_make_table(np.array(scale), flat) for scale in units]
    longest = -(-max(len(steps) for steps, _ in tables) // _MULTIPLE) * _MULTIPLE
    steps, ranks = np.zeros((len(tables), longest, 3), np.int64), np.zeros((len(tables), longest), np.int64)
    different = []
    for unit, (table, lengths) in enumerate(tables):
        once, rank = np.unique(lengths, return_inverse=True)
        steps[unit, : len(table)], ranks[unit, : len(table)] = table, rank
        different.append(once)
    x, y, z = steps.max((0, 1)).tolist()
    jumps = np.ascontiguousarray((steps[:, :, 0] * height + steps[:, :, 1]) * width + steps[:, :, 2])
    return OffsetTables(steps, jumps, ranks, (x, y, z), tuple(different))


def _make_table(scale: NDArray[np.float64], flat: bool) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """List all offsets up to some length, the shortest first, and their lengths."""
    free = scale[1:] if flat else scale
    ball = np.pi if flat else 4 / 3 * np.pi
    radius = (_OFFSETS * free.prod() / ball) ** (1 / free.size)
    while (2 * (radius // free) + 1).prod() > 4 * _OFFSETS:  # voxels like needles: their ball is one row of them
        radius *= 0.8
    ranges = [np.arange(-n, n + 1) for n in radius // scale]
    if flat:
        ranges[0] = np.zeros(1)
    steps = np.stack(np.meshgrid(*ranges, indexing="ij"), axis=-1).reshape(-1, 3).astype(np.int64)
    lengths = np.sqrt(((steps * scale) ** 2).sum(1))
    order = np.argsort(lengths, kind="stable")
    order = order[lengths[order] <= radius]
    return steps[order], lengths[order]
