"""Compares two masks class by class, by compiled kernels where numba works, else with NumPy and SciPy.

Both ways have the same results: counts are equal, and distances differ by rounding alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from zoo.compiled import has_numba
from zoo.metrics.surface import SurfaceScores
from zoo.types import LabelSpace


class Comparison(NamedTuple):
    """What the two masks of one class have in common.

    Attributes:
        tp: Number of voxels in both masks.
        fp: Number of voxels in the prediction only.
        fn: Number of voxels in the label only.
        surface: Distances between the borders; None where a mask is empty.
    """

    tp: int
    fp: int
    fn: int
    surface: SurfaceScores | None


def compare_masks(
    mask: NDArray[np.uint8],
    label: NDArray[np.uint8],
    labels: LabelSpace,
    spacing: Sequence[float],
    tolerance: float,
) -> list[Comparison]:
    """Compare a prediction with its label: one result per class, in the order of the label space.

    Args:
        mask: The prediction: 0..K of shape S where classes are exclusive, else {0, 1} of shape (K, *S).
        label: The label, in the same layout.
        labels: The label space.
        spacing: Size of a voxel along each axis of S.
        tolerance: Tolerance of NSD, in the unit of the spacing.

    Example:
        >>> mask, labels = np.ones((4, 4), np.uint8), LabelSpace(("organ",), ((1,),))
        >>> compare_masks(mask, mask, labels, (1.0, 1.0), 2.0)[0].tp
        16
    """
    if len(spacing) in (2, 3) and has_numba():
        from zoo.metrics.compiled_comparison import compare_compiled as compare
    else:
        from zoo.metrics.scipy_comparison import compare_with_scipy as compare
    return compare(mask, label, labels, spacing, tolerance)
