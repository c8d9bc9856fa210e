"""Compares two masks class by class with compiled kernels, straight from the label maps and in threads."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from typing import NamedTuple, TypeVar

import numpy as np
from numba.extending import register_jitable
from numpy.typing import NDArray

from zoo.compiled import compile_function
from zoo.metrics import distance_kernels, scoring_kernels
from zoo.metrics.comparison import Comparison
from zoo.metrics.far_search import Borders, FarDistances, add_far, search_far
from zoo.metrics.image_comparison import compare_image
from zoo.metrics.offset_tables import OffsetTables, make_tables
from zoo.metrics.surface import gather_scores, is_isotropic
from zoo.types import LabelSpace
from zoo.utils.machine import count_cores
from zoo.utils.parallel import map_in_order

T = TypeVar("T")
R = TypeVar("R")

_IN_THREADS = 1 << 20
"""Number of voxels from which on threads take less time than they need to start."""

_NONE = np.empty(0)

register_jitable(distance_kernels.find_percentile)
_score_distances = compile_function(distance_kernels.score_distances)


class _Found(NamedTuple):
    """Border voxels by class, map and distance to the border of the other map.

    Attributes:
        counts: Number of border voxels [units, classes + 1, 2, ranks] at each length of the tables.
        far: Distances of the others by unit, map and class.
    """

    counts: NDArray[np.int64]
    far: FarDistances


def compare_compiled(
    mask: NDArray[np.uint8],
    label: NDArray[np.uint8],
    labels: LabelSpace,
    spacing: Sequence[float],
    tolerance: float,
) -> list[Comparison]:
    """Do what `zoo.metrics.comparison.compare_masks` does, for images of two or three dimensions."""
    compare = _compare if len(spacing) == 3 else partial(compare_image, score=_score_distances)
    if labels.exclusive:
        return compare(mask, label, len(labels.names), spacing, tolerance)
    return [one for pair in zip(mask, label, strict=True) for one in compare(*pair, 1, spacing, tolerance)]


def _compare(
    first: NDArray[np.uint8], second: NDArray[np.uint8], classes: int, spacing: Sequence[float], tolerance: float
) -> list[Comparison]:
    if first.flags.f_contiguous and second.flags.f_contiguous:  # as files of NIfTI are read
        first, second, spacing = first.T, second.T, tuple(spacing)[::-1]
    first, second = (np.require(one, requirements=("C", "W")) for one in (first, second))  # one kernel for all
    scale = tuple(map(float, spacing))
    units = [scale] if is_isotropic(spacing) else [scale, (1.0, 1.0, 1.0)]
    borders = Borders.allocate(*first.shape)
    tables = make_tables(tuple(units), False, *borders.shape[1:])
    counts, found = _search(first, second, borders, classes, units, tables)
    compared = []
    for value in range(1, classes + 1):
        tp = int(counts[2, value])
        fp, fn = int(counts[0, value]) - tp, int(counts[1, value]) - tp
        surface = None
        if tp + fp and tp + fn:
            scores = [
                _score_distances(*_gather_distances(found, unit, value, lengths), tolerance)
                for unit, lengths in enumerate(tables.lengths)
            ]
            surface = gather_scores(scores, spacing)
        compared.append(Comparison(tp, fp, fn, surface))
    return compared


def _search(
    first: NDArray[np.uint8],
    second: NDArray[np.uint8],
    borders: Borders,
    classes: int,
    units: Sequence[tuple[float, ...]],
    tables: OffsetTables,
) -> tuple[NDArray[np.int64], _Found]:
    """Count the voxels of each class [3, 256] (first, second, both), and its border voxels by their distance."""
    depth, height, width = first.shape
    threads = _count_threads() if first.size >= _IN_THREADS else 1
    pieces = min(depth, 4 * threads) if threads > 1 else 1
    slabs = list(pairwise(depth * piece // pieces for piece in range(pieces + 1)))
    shape, one, other = (depth, height, width), first.reshape(-1), second.reshape(-1)

    def mark(slab: tuple[int, int]) -> NDArray[np.int64]:
        counts = np.zeros((3, 256), np.int64)
        scoring_kernels.mark_borders(
            *slab, shape, one, other, borders.shape[2], borders.maps[0], borders.maps[1], borders.filled, counts
        )
        return counts

    of_slab = _run(mark, slabs, threads)
    counts = sum(of_slab[1:], of_slab[0])
    paired = (counts[0] > 0) & (counts[1] > 0)
    paired[0], paired[classes + 1 :] = False, False
    ranks = max(lengths.size for lengths in tables.lengths)

    def search(job: tuple[int, tuple[int, int], int]) -> tuple[NDArray[np.int64], list[NDArray[np.int64]]]:
        own, slab, voxels = job
        found = np.zeros((len(units), classes + 1, 2, ranks), np.int64)
        far, missing = np.empty((len(units), voxels), np.int64), np.zeros(len(units), np.int64)
        scoring_kernels.search_near(
            own,
            *slab,
            borders.shape,
            borders.maps[own],
            borders.words[own],
            borders.maps[1 - own],
            borders.filled,
            paired,
            tables.steps,
            tables.jumps,
            tables.ranks,
            tables.reach,
            found,
            far,
            missing,
        )
        return found, [far[unit, :number].copy() for unit, number in enumerate(missing)]

    jobs = [(own, slab, int(n[own].sum())) for own in range(2) for slab, n in zip(slabs, of_slab, strict=True)]
    results = _run(search, jobs, threads)
    halves = slice(len(slabs)), slice(len(slabs), None)
    near = sum((found for found, _ in results[1:]), results[0][0])
    far = [[np.concatenate(of) for of in zip(*(far for _, far in results[own]), strict=True)] for own in halves]
    return counts, _Found(near, search_far(borders, near[0].sum(-1).T, far, units, partial(_run, threads=threads)))


def _gather_distances(
    found: _Found, unit: int, value: int, lengths: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]:
    """Return the distances of a class in ascending order, and their counts in both directions."""
    there, back = found.counts[unit, value, :, : lengths.size]
    far = [found.far.get((unit, own, value), _NONE) for own in range(2)]
    if far[0].size + far[1].size == 0:
        return lengths, there, back
    return add_far(lengths, found.counts[unit, value, :, : lengths.size], *far)


def _count_threads() -> int:
    """Return the number of threads: one per core, unless OMP_NUM_THREADS says fewer."""
    limit = os.environ.get("OMP_NUM_THREADS", "")
    return min(count_cores(), int(limit)) if limit.isdecimal() and int(limit) else count_cores()


def _run(function: Callable[[T], R], things: Sequence[T], threads: int) -> list[R]:
    return list(map_in_order(function, things, threads if threads > 1 and len(things) > 1 else 0))
