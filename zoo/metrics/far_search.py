"""Distances of border voxels that are far from the other border: islands, and predictions at another place."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from zoo.metrics import scoring_kernels

_FEW = 64
"""Number of voxels up to which cells take longer to make than they save."""

_MOST_CELLS = 1 << 16
"""So that NumPy sorts the numbers of cells by radix."""

FarDistances: TypeAlias = Mapping[tuple[int, int, int], NDArray[np.float64]]
"""Distances by unit, map and class, in ascending order."""


class Borders(NamedTuple):
    """The border voxels of two label maps, with rows that are padded to whole words.

    Attributes:
        shape: X, Y and Z; Z is padded.
        maps: The value of the class at its border voxels, else 0 [2, X * Y * Z].
        words: The same memory as words [2, X * Y * Z / 8].
        filled: Which rows [X * Y] have a voxel of a class.
    """

    shape: tuple[int, int, int]
    maps: NDArray[np.uint8]
    words: NDArray[np.uint64]
    filled: NDArray[np.uint8]

    @classmethod
    def allocate(cls, depth: int, height: int, width: int) -> Borders:
        """Return borders without a voxel. The system gives memory only to pages that are written."""
        padded = -(-width // scoring_kernels.WORD) * scoring_kernels.WORD
        maps, filled = np.zeros((2, depth * height * padded), np.uint8), np.zeros(depth * height, np.uint8)
        return cls((depth, height, padded), maps, maps.view(np.uint64), filled)


class _Job(NamedTuple):
    key: tuple[int, int, int]
    places: NDArray[np.int32]
    goals: NDArray[np.int32]
    scale: NDArray[np.float64]


def search_far(
    borders: Borders,
    near: NDArray[np.int64],
    far: Sequence[Sequence[NDArray[np.int64]]],
    units: Sequence[tuple[float, ...]],
    run: Callable[[Callable[[Any], Any], Sequence[Any]], list[Any]],
) -> FarDistances:
    """Compute the distance of some border voxels to the border of the same class in the other map.

    Args:
        borders: The borders; each class of these voxels has some in both maps.
        near: Number of the other border voxels of each class of each map [2, classes + 1].
        far: The indices of the voxels of each map, in each unit.
        units: The size of a voxel along each axis [3], in each unit.
        run: Computes a function of several arguments, in threads or not.
    """
    if not any(places.size for of_map in far for places in of_map):
        return {}
    values = [[borders.maps[own, places] for places in of_map] for own, of_map in enumerate(far)]
    totals = near + [np.bincount(of_map[0], minlength=near.shape[1]) for of_map in values]
    jobs = []
    for own in range(2):
        wanted = np.zeros(256, np.bool_)
        wanted[np.concatenate(values[own])] = True
        if not wanted.any():
            continue
        goals, starts = _list_goals(borders, 1 - own, totals[1 - own], wanted)
        for unit, (places, classes) in enumerate(zip(far[own], values[own], strict=True)):
            for value in np.unique(classes).tolist():
                where = np.stack(np.unravel_index(places[classes == value], borders.shape)).astype(np.int32)
                goals_of_class = goals[:, starts[value] : starts[value + 1]]
                jobs.append(_Job((unit, own, value), where, goals_of_class, np.array(units[unit])))
    found = run(_measure, jobs)
    return {job.key: distances for job, distances in zip(jobs, found, strict=True)}


def _list_goals(
    borders: Borders, other: int, totals: NDArray[np.int64], wanted: NDArray[np.bool_]
) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Return the coordinates [3, N] of the border voxels of a map, class by class, and where each class begins."""
    starts = np.zeros(totals.size + 1, np.int64)
    starts[1:] = np.cumsum(np.where(wanted[: totals.size], totals, 0))
    goals = np.empty((3, starts[-1]), np.int32)
    scoring_kernels.list_borders(
        borders.shape, borders.maps[other], borders.words[other], borders.filled, wanted, starts[:-1].copy(), goals
    )
    return goals, starts


def _measure(job: _Job) -> NDArray[np.float64]:
    """Return the distances of a job in ascending order."""
    return np.sort(measure_distances(job.places, job.goals, job.scale))


def measure_distances(
    places: NDArray[np.int32], goals: NDArray[np.int32], scale: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the distance [M] from each place to its nearest goal.

    Args:
        places: Coordinates [3, M], neighbours near each other.
        goals: Coordinates [3, N].
        scale: Size of a voxel along each axis [3].
    """
    firsts = np.zeros(1, np.int64)
    if places.shape[1] > _FEW:
        cells = _number_cells(goals, scale)
        order = np.argsort(cells, kind="stable")
        goals, cells = goals[:, order], cells[order]
        firsts = np.flatnonzero(np.diff(cells.astype(np.int64), prepend=-1))
    goals = np.ascontiguousarray(goals)
    starts = np.append(firsts, goals.shape[1])
    lowest, highest = (limit.reduceat(goals, firsts, axis=1) for limit in (np.minimum, np.maximum))
    squares = np.empty(places.shape[1])
    scoring_kernels.search_far(places, goals, starts, lowest, highest, scale, squares)
    return np.sqrt(squares)


def add_far(
    lengths: NDArray[np.float64], near: NDArray[np.int64], there: NDArray[np.float64], back: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]:
    """Append long distances to those of a table.

    Args:
        lengths: The distances of the table, in ascending order; no long distance is shorter.
        near: Number of border voxels of both maps [2, N] at each of them.
        there: The long distances of the first map.
        back: Those of the second map.

    Returns:
        All distances in ascending order, and their counts of both maps.
    """
    distances = np.concatenate([there, back])
    order = np.argsort(distances, kind="stable")
    first = order < there.size
    return (
        np.concatenate([lengths, distances[order]]),
        np.concatenate([near[0], first.astype(np.int64)]),
        np.concatenate([near[1], (~first).astype(np.int64)]),
    )


def _number_cells(goals: NDArray[np.int32], scale: NDArray[np.float64]) -> NDArray[np.uint16]:
    """Return the number of the cell of each goal. A cell has about as many goals as there are cells with goals."""
    low = goals.min(1)
    extent = goals.max(1).astype(np.int64) - low + 1
    side = goals.shape[1] ** 0.25 * scale.prod() ** (1 / 3)  # goals are on a surface
    edge = np.maximum(1, np.minimum(side / scale, extent).astype(np.int64))
    while (-(-extent // edge)).prod() > min(4 * goals.shape[1] + 8, _MOST_CELLS):
        edge *= 2
    cells = (goals - low[:, None]) // edge[:, None]
    numbers: NDArray[np.int64] = np.ravel_multi_index(tuple(cells), tuple(-(-extent // edge)))
    return numbers.astype(np.uint16)
