"""Surface scores of two masks from their distances, each of which is stored once with the number of its border voxels.

The functions are plain loops, which `zoo.metrics.compiled_comparison` compiles. So both ways of computing
distances share every definition: percentiles, tolerance and mean.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

_ROUNDING = 1e-9
"""Relative margin of the tolerance, so that a distance equal to the tolerance does not depend on rounding."""

_SHARE = 0.95

DistanceScores: TypeAlias = tuple[float, float, float, float, float]
"""HD, HD95, pooled HD95, NSD and ASSD."""


def find_percentile(distances: NDArray[np.float64], counts: NDArray[np.int64], share: float) -> float:
    """Return a percentile with linear interpolation, equal to `np.percentile` of the repeated distances.

    Args:
        distances: Distances in ascending order.
        counts: How often each of them occurs; at least one occurs.
        share: The percentile, between 0 and 1.

    Example:
        >>> find_percentile(np.array([0.0, 4.0]), np.array([3, 2]), 0.5)
        0.0
    """
    last = counts.sum() - 1
    rank = share * last
    below = int(rank)
    until = counts[0]
    index = 0
    while until <= below:
        index += 1
        until += counts[index]
    low = distances[index]
    while until <= min(below + 1, last):
        index += 1
        until += counts[index]
    high = distances[index]
    part = rank - below
    if part < 0.5:  # NumPy's formula, rounding included
        return float(low + (high - low) * part)
    return float(high - (high - low) * (1 - part))


def score_distances(
    distances: NDArray[np.float64], there: NDArray[np.int64], back: NDArray[np.int64], tolerance: float
) -> DistanceScores:
    """Compute the surface scores of two masks, as `zoo.metrics.surface.SurfaceScores` defines them.

    Args:
        distances: Distances in ascending order.
        there: Number of border voxels of the first mask at each distance from the second border; not all are 0.
        back: The same of the second mask.
        tolerance: Tolerance of NSD, in the unit of the distances.

    Returns:
        HD, HD95, pooled HD95, NSD and ASSD.

    Example:
        >>> score_distances(np.array([0.0, 2.0]), np.array([1, 1]), np.array([2, 0]), 1.0)[3:]
        (0.75, 0.5)
    """
    both = there + back
    within, total, largest = 0, 0.0, 0.0
    for index in range(distances.size):
        total += distances[index] * both[index]
        if both[index]:
            largest = distances[index]
        if distances[index] <= tolerance * (1 + _ROUNDING):
            within += both[index]
    voxels = both.sum()
    larger = max(find_percentile(distances, there, _SHARE), find_percentile(distances, back, _SHARE))
    return (
        float(largest),
        larger,
        find_percentile(distances, both, _SHARE),
        float(within / voxels),
        float(total / voxels),
    )
