"""Score one case: compare each class of a prediction with its label, on the native grid."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zoo.errors import DataError, UnknownNameError
from zoo.metrics.case_scores import CaseScore, describe_case, status_of
from zoo.metrics.comparison import Comparison, compare_masks
from zoo.metrics.conventions import CONVENTIONS, CVPR25, REX, SURFACE_DISTANCE
from zoo.metrics.definitions import METRICS, VOXELS, absent_values, dice_of_counts, worst_values
from zoo.metrics.surface import diagonal
from zoo.metrics.surfels import SurfelScores, compare_surfels
from zoo.types import UNKNOWN, InstanceFacts, LabelSpace


def score_case(
    case_id: str,
    mask: NDArray[np.uint8],
    label: NDArray[np.uint8],
    labels: LabelSpace,
    spacing: Sequence[float],
    unit: str,
    tolerance: float,
    query: str = "",
    conventions: Collection[str] = (),
    instances: InstanceFacts | None = None,
) -> list[CaseScore]:
    """Compare a prediction with its label: one row per class, in the order of the label space.

    Args:
        case_id: The case.
        mask: The prediction on the native grid: uint8, values 0..K and shape S where classes are
            exclusive, else values {0, 1} and shape (K, *S).
        label: The true mask, in the same layout.
        labels: The label space.
        spacing: Size of a voxel along each axis of S.
        unit: Unit of the spacing: "mm" or "px".
        tolerance: Tolerance of the metric `nsd`, in the unit of the spacing.
        query: The query of the case; empty where a case has one query.
        conventions: Further conventions to score by, of `zoo.metrics.conventions.CONVENTIONS`. `CVPR25` includes
            `SURFACE_DISTANCE`, because its NSD is that one, except where a label counts objects.
        instances: What is known of the instances of the label, for the conventions that count them.

    Raises:
        UnknownNameError: There is no such convention.
        DataError: The shapes, values, spacing or tolerance are invalid or contradict each other.

    Example:
        >>> labels = LabelSpace(names=("lesion",), values=((1,),))
        >>> truth = np.zeros((8, 8), np.uint8)
        >>> truth[2:6, 2:6] = 1
        >>> [score] = score_case("case-7", np.roll(truth, 1), truth, labels, (0.5, 0.5), unit="mm", tolerance=2.0)
        >>> score.status, score.dice, score.hd95
        ('ok', 0.75, 0.5)
    """
    mask, label = np.asarray(mask), np.asarray(label)
    _check(case_id, query, mask, label, labels, spacing, tolerance)
    image = mask.shape if labels.exclusive else mask.shape[1:]
    found = compare_masks(mask, label, labels, spacing, tolerance)
    longest = _find_diagonals(image, tuple(spacing))
    rows = [
        _score(case_id, query, name, index, compared, longest, unit)
        for index, (name, compared) in enumerate(zip(labels.names, found, strict=True), start=1)
    ]
    for convention in conventions:
        check_convention(convention)
    objects = instances is not None and bool(instances.objects)
    if SURFACE_DISTANCE in conventions or (CVPR25 in conventions and not objects):
        surfels = compare_surfels(mask, label, labels, spacing, tolerance)
        farthest = diagonal([size + 1 for size in image], spacing)  # between the outer corners of the image
        rows = [_add_surfels(row, one, farthest) for row, one in zip(rows, surfels, strict=True)]
    if REX in conventions or CVPR25 in conventions:
        from zoo.metrics.scorers import add_scorers  # with parts of SciPy that most tests do not need

        rows = add_scorers(rows, mask, label, labels, spacing, conventions, instances)
    return rows


@lru_cache(64)
def _find_diagonals(image: tuple[int, ...], spacing: tuple[float, ...]) -> tuple[float, float]:
    """Return the diagonal of an image in the unit of the spacing and in voxels; most images of a data set share it."""
    return diagonal(image, spacing), diagonal(image, [1.0] * len(image))


def check_convention(name: str) -> None:
    """Check the name of a convention.

    Raises:
        UnknownNameError: There is no such convention.
    """
    if name not in CONVENTIONS:
        raise UnknownNameError("convention", name, CONVENTIONS, "zoo test --help")


def _add_surfels(row: CaseScore, scores: SurfelScores, farthest: float) -> CaseScore:
    """Return a row with its scores in the convention of surface-distance; a missed or spurious object has the worst."""
    if row.status == "absent":
        return row
    return replace(row, hd95_surfels=min(scores.hd95, farthest), nsd_surfels=scores.nsd)


def _score(
    case_id: str,
    query: str,
    name: str,
    index: int,
    compared: Comparison,
    diagonals: tuple[float, float],
    unit: str,
) -> CaseScore:
    tp, fp, fn, surface = compared
    status = status_of(tp, fp, fn)
    longest, longest_voxels = diagonals
    values: dict[str, Any]
    in_voxels: dict[str, Any]
    if status == "absent":
        values, in_voxels = absent_values(), dict.fromkeys(VOXELS, math.nan)
    elif surface is not None:
        computed = {"dice": dice_of_counts(tp, fp, fn), **surface._asdict()}
        # Rounding may make a distance longer than the diagonal; a hit would then score worse than a miss.
        values = {metric.key: metric.limit(computed[metric.key], longest) for metric in METRICS}
        in_voxels = {key: min(computed[key], longest_voxels) for key in VOXELS}
    else:
        values, in_voxels = worst_values(longest), dict.fromkeys(VOXELS, longest_voxels)
    return CaseScore(
        case_id=case_id,
        query=query,
        label=name,
        tp=tp,
        fp=fp,
        fn=fn,
        unit=unit,
        status=status,
        index=index,
        mark="",
        **values,
        **in_voxels,
    )


def _check(
    case_id: str,
    query: str,
    mask: NDArray[np.uint8],
    label: NDArray[np.uint8],
    labels: LabelSpace,
    spacing: Sequence[float],
    tolerance: float,
) -> None:
    """Reject input that cannot be scored: a wrong score would look like a correct one."""
    classes = len(labels.names)
    axes = mask.ndim if labels.exclusive else mask.ndim - 1
    highest = classes if labels.exclusive else 1
    if mask.shape != label.shape or mask.size == 0:
        problem = f"the prediction has the shape {mask.shape} and the label has the shape {label.shape}"
    elif not labels.exclusive and len(mask) != classes:
        problem = f"there are {len(mask)} masks for {classes} classes"
    elif mask.dtype != np.uint8 or label.dtype != np.uint8:
        problem = f"masks must be uint8, but these are {mask.dtype} and {label.dtype}"
    elif (largest := label.max()) == UNKNOWN:
        problem = "its label is partial: some voxels are unknown, and a score needs all of them"
    elif (largest := max(mask.max(), largest)) > highest:
        problem = f"a mask has the value {largest}, but the highest valid value is {highest}"
    elif len(spacing) != axes or not all(0 < float(size) < math.inf for size in spacing):
        problem = f"the spacing {tuple(spacing)} is invalid for {axes} axes"
    elif not 0 <= tolerance < math.inf:
        problem = f"the tolerance {tolerance} is invalid"
    else:
        return
    case = describe_case(case_id, query)
    raise DataError(f"{case} cannot be scored: {problem}.", "Run `zoo data verify` on the data set.")
