"""The scores of one case: each class of a prediction against its label, on the native grid."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from zoo.errors import DataError
from zoo.metrics.case_scores import CaseScore, status_of
from zoo.metrics.class_masks import objects
from zoo.metrics.surface import diagonal, surface_scores
from zoo.types import LabelSpace


def score_case(
    case_id: str,
    mask: NDArray[np.uint8],
    label: NDArray[np.uint8],
    labels: LabelSpace,
    spacing: Sequence[float],
    unit: str,
    tolerance: float,
) -> list[CaseScore]:
    """Score a prediction against its label, one row a class in the order of the label space.

    Args:
        case_id: The case.
        mask: The prediction on the native grid: 0..K of shape S where classes are exclusive, else
            {0, 1} of shape (K, *S).
        label: The truth, laid out alike.
        labels: The label space.
        spacing: Size of a voxel on each axis of S.
        unit: Of the spacing: "mm" or "px".
        tolerance: Of `nsd`, in that unit.

    Raises:
        DataError: Shapes, values or spacing do not fit each other.
    """
    mask, label = np.asarray(mask), np.asarray(label)
    _check(case_id, mask, label, labels, spacing, tolerance)
    return [
        _score(case_id, name, index, predicted, true, image, spacing, unit, tolerance)
        for index, (name, (predicted, true, image)) in enumerate(
            zip(labels.names, objects(mask, label, labels), strict=True), start=1
        )
    ]


def _score(
    case_id: str,
    name: str,
    index: int,
    predicted: NDArray[np.bool_],
    true: NDArray[np.bool_],
    image: tuple[int, ...],
    spacing: Sequence[float],
    unit: str,
    tolerance: float,
) -> CaseScore:
    tp = int(np.count_nonzero(predicted & true))
    fp = int(np.count_nonzero(predicted)) - tp
    fn = int(np.count_nonzero(true)) - tp
    status, worst = status_of(tp, fp, fn), diagonal(image, spacing)
    farthest = diagonal(image, [1.0] * len(image))
    in_voxels = (farthest, farthest)
    if status == "absent":
        scores, in_voxels = (math.nan,) * 5, (math.nan, math.nan)
    elif status == "ok":
        found = surface_scores(predicted, true, spacing, tolerance)
        dice = 2 * tp / (2 * tp + fp + fn)
        # Rounding may carry a distance past the diagonal, and then a hit would score worse than a miss.
        scores = (dice, min(found.hd95, worst), min(found.hd95_pooled, worst), found.nsd, min(found.assd, worst))
        in_voxels = (min(found.hd95_voxels, farthest), min(found.hd95_pooled_voxels, farthest))
    else:
        scores = (0.0, worst, worst, 0.0, worst)
    return CaseScore(case_id, name, tp, fp, fn, *scores, unit, status, index, *in_voxels)


def _check(
    case_id: str,
    mask: NDArray[np.uint8],
    label: NDArray[np.uint8],
    labels: LabelSpace,
    spacing: Sequence[float],
    tolerance: float,
) -> None:
    """Refuse what cannot be scored; a wrong number would look like any other."""
    classes = len(labels.names)
    axes = mask.ndim if labels.exclusive else mask.ndim - 1
    highest = classes if labels.exclusive else 1
    if mask.shape != label.shape or mask.size == 0:
        problem = f"prediction of shape {mask.shape} and label of shape {label.shape}"
    elif not labels.exclusive and len(mask) != classes:
        problem = f"{len(mask)} masks for {classes} classes"
    elif mask.dtype != np.uint8 or label.dtype != np.uint8:
        problem = f"masks are uint8, these are {mask.dtype} and {label.dtype}"
    elif max(mask.max(), label.max()) > highest:
        problem = f"a value of {max(mask.max(), label.max())} where {highest} is the highest"
    elif len(spacing) != axes or not all(0 < float(size) < math.inf for size in spacing):
        problem = f"spacing {tuple(spacing)} for {axes} axes"
    elif not 0 <= tolerance < math.inf:
        problem = f"a tolerance of {tolerance}"
    else:
        return
    raise DataError(f"Case '{case_id}' cannot be scored: {problem}.", "Run `zoo data verify` on the data set.")
