"""The voxel size of the network grid, and the median shape of the training cases on it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from zoo.planner.summary import DatasetSummary

COARSE = 3.0
"""An axis is coarse if its voxels are more than so many times larger, and as many times fewer, than on the others."""

LOW_PERCENTILE = 10
"""Percentile of the voxel size of a coarse axis that is used in place of the median."""

_ABOVE = 1e-5  # keeps a coarse axis the coarsest, so that the order of the axes stays


def target_spacing(summary: DatasetSummary) -> tuple[tuple[float, ...], str]:
    """Choose the voxel size of the network grid.

    It is the median per axis. Of a coarse axis, it is a low percentile, because the median of such data would
    interpolate most slices of the finer cases away; it is never finer than the other axes.

    Returns:
        The voxel size in the order of the image axes, and the reason in one line.

    Example:
        >>> from zoo.planner.summary import Grid
        >>> target_spacing(DatasetSummary((Grid((18, 237, 208), (5.0, 1.56, 1.56), 200),), labels=4))[0]
        (5.0, 1.56, 1.56)
    """
    spacings, shapes = _rows(summary)
    found, sizes = np.median(spacings, axis=0), np.median(shapes, axis=0)
    reason = f"it is the median of {summary.cases} training cases"
    worst = int(np.argmax(found))
    others = np.arange(len(found)) != worst
    coarsest = float(found[others].max())
    if found[worst] > COARSE * coarsest and sizes[worst] * COARSE < sizes[others].min():
        low = float(np.percentile(spacings[:, worst], LOW_PERCENTILE))
        found[worst] = low if low >= coarsest else coarsest + _ABOVE
        reason = (
            f"it is the median of {summary.cases} training cases; axis {worst} is over {COARSE:g} times coarser, "
            f"so it gets the {LOW_PERCENTILE}th percentile, but not below the other axes"
        )
    return tuple(float(step) for step in found), reason


def median_shape(summary: DatasetSummary, spacing: tuple[float, ...]) -> tuple[float, ...]:
    """Return the median shape of the training cases after resampling to a voxel size."""
    spacings, shapes = _rows(summary)
    return tuple(float(size) for size in np.median(np.round(shapes * spacings / np.array(spacing)), axis=0))


def _rows(summary: DatasetSummary) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Voxel size and shape of each case, float64 [cases, axes]."""
    counts = [grid.cases for grid in summary.grids]
    spacings = np.array([grid.spacing for grid in summary.grids], dtype=np.float64)
    shapes = np.array([grid.shape for grid in summary.grids], dtype=np.float64)
    return np.repeat(spacings, counts, axis=0), np.repeat(shapes, counts, axis=0)
