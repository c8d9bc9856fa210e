"""Finds the corners on the surfaces of two masks and their distances with compiled kernels, from the label maps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from zoo.metrics import surfel_kernels
from zoo.metrics.far_search import measure_distances
from zoo.metrics.offset_tables import make_tables
from zoo.metrics.surfel_areas import VOXELS_OF_CORNER, surfel_areas
from zoo.metrics.surfels import Surfels, pair_empty, sort_surfels
from zoo.types import LabelSpace


class _Corners(NamedTuple):
    """The corners of one map that are on the surface of a class.

    Attributes:
        map_: The map, with voxels of 0 around [X * Y * Z].
        mixed: Which corners these are [X * Y * Z, rounded up].
        words: The same memory as words of 8.
        number: How many there are.
    """

    map_: NDArray[np.uint8]
    mixed: NDArray[np.uint8]
    words: NDArray[np.uint64]
    number: int


class _Grid(NamedTuple):
    """The grid of both maps.

    Attributes:
        shape: X, Y and Z with the voxels around the image.
        flat: Whether the image has two dimensions; X is 1 then.
        jumps: Differences of indices [8] to the voxels of a corner.
        scale: Size of a voxel along each axis [3].
    """

    shape: tuple[int, int, int]
    flat: bool
    jumps: NDArray[np.int64]
    scale: tuple[float, float, float]


def search_surfels(
    mask: NDArray[np.uint8], label: NDArray[np.uint8], labels: LabelSpace, spacing: tuple[float, ...]
) -> list[tuple[Surfels, Surfels]]:
    """Do what `zoo.metrics.surfels.search_with_scipy` does."""
    if labels.exclusive:
        return _search(mask, label, len(labels.names), spacing)
    return [one for pair in zip(mask, label, strict=True) for one in _search(*pair, 1, spacing)]


def _search(
    first: NDArray[np.uint8], second: NDArray[np.uint8], classes: int, spacing: tuple[float, ...]
) -> list[tuple[Surfels, Surfels]]:
    grid = _make_grid(first.shape, spacing)
    sides = [_find_corners(one, grid) for one in (first, second)]
    present = np.zeros((2, 256), np.bool_)
    for own, side in enumerate(sides):
        surfel_kernels.find_classes(*side[:3], grid.jumps, present[own])
    paired = present[0] & present[1]
    paired[0], paired[classes + 1 :] = False, False
    areas, kinds = np.unique(surfel_areas(spacing), return_inverse=True)
    tables = make_tables((grid.scale,), grid.flat, *grid.shape[1:])
    lengths = tables.lengths[0]
    near = np.zeros((classes + 1, 2, lengths.size, areas.size), np.int64)
    far = []
    for own, (side, other) in enumerate((sides, sides[::-1])):
        beyond = np.empty((3, side.number * min(classes, surfel_kernels.MEETING)), np.int64)
        missing = surfel_kernels.search_surfels(
            *(own, grid.shape, *side[:3], *other[:2], grid.jumps, paired, kinds.astype(np.uint8)),
            *(tables.steps[0], tables.jumps[0], tables.ranks[0], near, beyond),
        )
        far.append(beyond[:, :missing].copy())
    totals = near.sum((2, 3)) + np.stack([np.bincount(one[1], minlength=classes + 1) for one in far], axis=1)
    distances = [_measure_far(far[own], sides[1 - own], totals[:, 1 - own], grid) for own in range(2)]

    def gather(own: int, value: int) -> Surfels:
        of_class = far[own][1] == value
        rest = sort_surfels(distances[own][of_class], areas[far[own][2, of_class]])
        times = near[value, own].reshape(-1)
        table = np.repeat(lengths, areas.size), np.tile(areas, lengths.size)
        return Surfels(*(np.concatenate([np.repeat(one, times), more]) for one, more in zip(table, rest, strict=True)))

    return [
        (gather(0, value), gather(1, value)) if paired[value] else pair_empty(present[0, value], present[1, value])
        for value in range(1, classes + 1)
    ]


def _measure_far(
    far: NDArray[np.int64], other: _Corners, totals: NDArray[np.int64], grid: _Grid
) -> NDArray[np.float64]:
    """Return the distance of each far corner [3, M] to the surface of its class in the other map."""
    distances = np.empty(far.shape[1])
    wanted = np.zeros(256, np.bool_)
    wanted[far[1]] = True
    ends = np.cumsum(np.where(wanted[: totals.size], totals, 0))
    goals = np.empty(ends[-1], np.int64)
    starts = ends - np.where(wanted[: totals.size], totals, 0)
    if far.size:
        surfel_kernels.list_surfels(*other[:3], grid.jumps, wanted, starts.copy(), goals)
    for value in np.flatnonzero(wanted).tolist():
        of_class = far[1] == value
        places, nearest = (
            np.stack(np.unravel_index(one, grid.shape)).astype(np.int32)
            for one in (far[0, of_class], goals[starts[value] : ends[value]])
        )
        distances[of_class] = measure_distances(places, nearest, np.array(grid.scale))
    return distances


def _make_grid(shape: Sequence[int], spacing: tuple[float, ...]) -> _Grid:
    flat = len(shape) == 2
    around = (1, *(size + 2 for size in shape)) if flat else tuple(size + 2 for size in shape)
    x, y, z = 0 if flat else around[1] * around[2], around[2], 1
    jumps = np.array([a * x + b * y + c * z for a, b, c in VOXELS_OF_CORNER])
    first, second, third = (1.0, *spacing) if flat else spacing
    return _Grid((around[0], around[1], around[2]), flat, jumps, (first, second, third))


def _find_corners(map_: NDArray[np.uint8], grid: _Grid) -> _Corners:
    padded = np.zeros(grid.shape, np.uint8)
    padded[(0 if grid.flat else slice(1, -1), slice(1, -1), slice(1, -1))] = map_
    mixed = np.zeros(-(-padded.size // surfel_kernels.MEETING) * surfel_kernels.MEETING, np.uint8)
    stops = 1 if grid.flat else grid.shape[0] - 1, grid.shape[1] - 1
    number = surfel_kernels.mark_mixed(grid.shape, stops, padded.reshape(-1), grid.jumps, mixed)
    return _Corners(padded.reshape(-1), mixed, mixed.view(np.uint64), number)
