"""Compares two masks class by class with NumPy and SciPy: the masks of each class are cropped to their content."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from zoo.metrics.class_masks import objects
from zoo.metrics.comparison import Comparison
from zoo.metrics.surface import surface_scores
from zoo.types import LabelSpace


def compare_with_scipy(
    mask: NDArray[np.uint8],
    label: NDArray[np.uint8],
    labels: LabelSpace,
    spacing: Sequence[float],
    tolerance: float,
) -> list[Comparison]:
    """Do what `zoo.metrics.comparison.compare_masks` does, without numba and in any number of dimensions."""
    found = []
    for predicted, true, _ in objects(mask, label, labels):
        tp = int(np.count_nonzero(predicted & true))
        fp, fn = int(np.count_nonzero(predicted)) - tp, int(np.count_nonzero(true)) - tp
        paired = tp + fp and tp + fn
        surface = surface_scores(predicted, true, spacing, tolerance) if paired else None
        found.append(Comparison(tp, fp, fn, surface))
    return found
