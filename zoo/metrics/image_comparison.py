"""Compares two masks of an image of two dimensions by few calls of compiled kernels: each call takes time too."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from zoo.metrics.comparison import Comparison
from zoo.metrics.distance_kernels import DistanceScores
from zoo.metrics.far_search import add_far
from zoo.metrics.image_kernels import WORD, list_image, measure_class
from zoo.metrics.surface import gather_scores, is_isotropic

Score = Callable[..., DistanceScores]

_PIXELS = 40
"""Distance in pixels up to which distances are counted and not sorted."""


def compare_image(
    first: NDArray[np.uint8],
    second: NDArray[np.uint8],
    classes: int,
    spacing: Sequence[float],
    tolerance: float,
    score: Score,
) -> list[Comparison]:
    """Compare two label maps of shape [H, W] whose classes are 1..classes; one result per class.

    Args:
        first: The prediction.
        second: The label.
        classes: Number of classes.
        spacing: Height and width of a pixel.
        tolerance: Tolerance of NSD, in the unit of the spacing.
        score: Computes the surface scores from distances, as `zoo.metrics.distance_kernels.score_distances` does.
    """
    height, width = first.shape
    padded = (width // WORD + 1) * WORD
    maps = np.zeros((2, height + 2, padded), np.uint8)
    maps[0, 1:-1, :width], maps[1, 1:-1, :width] = first, second
    maps = maps.reshape(2, -1)
    counts, totals = np.zeros((3, 256), np.int64), np.zeros((2, 256), np.int64)
    places = np.empty((2, height * width), np.int32)
    list_image(maps, maps.view(np.uint64), padded, counts, totals, places)
    sizes = float(spacing[0]), float(spacing[1])
    units = [sizes] if is_isotropic(spacing) else [sizes, (1.0, 1.0)]
    compared = []
    for value in range(1, classes + 1):
        predicted, true, tp = counts[:, value].tolist()
        surface = None
        if predicted and true:
            found = [_measure(maps, places, totals, value, padded, unit) for unit in units]
            surface = gather_scores([score(*one, tolerance) for one in found], spacing)
        compared.append(Comparison(tp, predicted - tp, true - tp, surface))
    return compared


def _measure(
    maps: NDArray[np.uint8],
    places: NDArray[np.int32],
    totals: NDArray[np.int64],
    value: int,
    width: int,
    spacing: tuple[float, float],
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]:
    """Return the distances of a class in ascending order, and their counts in both directions."""
    lengths, ranks = rank_lengths(spacing)
    near, far = np.zeros((2, lengths.size), np.int64), np.empty((2, max(totals[0, value], totals[1, value])))
    there, back = measure_class(maps, places, totals, value, width, spacing, ranks, near, far)
    if there or back:
        return add_far(lengths, near, far[0, :there], far[1, :back])
    return lengths, near[0], near[1]


@lru_cache(64)
def rank_lengths(spacing: tuple[float, float]) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
    """Return the shortest distances between pixels, so that most distances are counted and not sorted.

    Args:
        spacing: Height and width of a pixel.

    Returns:
        All distances up to some length, in ascending order, and the index of each by rows and columns, else -1.

    Example:
        >>> lengths, ranks = rank_lengths((1.0, 1.0))
        >>> lengths[:3].round(3).tolist(), ranks[1, 1].item()
        ([0.0, 1.0, 1.414], 2)
    """
    longest = _PIXELS * float(np.sqrt(spacing[0] * spacing[1]))
    rows, columns = (np.arange(int(longest / size) + 1) * size for size in spacing)
    table = np.sqrt(rows[:, None] ** 2 + columns[None, :] ** 2)
    lengths = np.unique(table[table <= longest])
    ranks = np.where(table <= longest, np.searchsorted(lengths, table), -1)
    return lengths, ranks.astype(np.int32)
