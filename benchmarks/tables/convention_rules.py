"""The conventions of other papers: how each scores a row, a class or a test.

Published tables mix conventions, and the same predictions have other numbers in each convention.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from zoo.errors import RunError, UnknownNameError
from zoo.metrics.case_scores import CaseScore
from zoo.metrics.conventions import SURFACE_DISTANCE
from zoo.metrics.definitions import dice_of_counts, iou_of_counts
from zoo.metrics.scorer_means import SCORER_MEANS, ScorerMean

Score = Callable[[CaseScore, Sequence[float] | None], float | None]
"""A row and the size of its voxels to its score; None where the convention leaves the row out."""

_ISOTROPIC = 1e-3  # relative: files keep their spacing in single precision


@dataclass(frozen=True, slots=True)
class Convention:
    """One convention.

    Attributes:
        about: What the convention is.
        metric: Title of its column.
        score: Computes the score of one row; None where counts are pooled.
        pooled: Computes the score of a class from tp, fp and fn summed over its cases; None where each row has a score.
        distance: Whether the score is a distance.
        per_case: Whether the mean is over the classes of a case, then over the cases; else over cases, then classes.
        mean: Computes the mean of a whole test, by the scorer of a challenge; it replaces the others.
    """

    about: str
    metric: str
    score: Score | None = None
    pooled: Callable[[int, int, int], float | None] | None = None
    distance: bool = False
    per_case: bool = False
    mean: ScorerMean | None = None


def dice(tp: int, fp: int, fn: int) -> float | None:
    """Return 2 tp / (2 tp + fp + fn); None where all counts are 0."""
    return dice_of_counts(tp, fp, fn) if tp + fp + fn else None


def iou(tp: int, fp: int, fn: int) -> float | None:
    """Return tp / (tp + fp + fn), the Jaccard index; None where all counts are 0."""
    return iou_of_counts(tp, fp, fn) if tp + fp + fn else None


def _foreground(row: CaseScore, _: Sequence[float] | None) -> float | None:
    return row.dice if row.tp + row.fn else None


def _empty_is_one(row: CaseScore, _: Sequence[float] | None) -> float | None:
    return 1.0 if row.status == "absent" else row.dice


def _hit(threshold: float) -> Score:
    return lambda row, _: float(row.status == "absent" or row.dice >= threshold)


def _iou(row: CaseScore, _: Sequence[float] | None) -> float | None:
    return iou(row.tp, row.fp, row.fn)


def _found(row: CaseScore, _: Sequence[float] | None) -> float | None:
    return row.hd95 if row.status == "ok" else None


def _in_voxels(row: CaseScore, spacing: Sequence[float] | None) -> float | None:
    if row.status != "ok":
        return None
    return row.hd95 / _voxel(row, spacing) if math.isnan(row.hd95_voxels) else row.hd95_voxels


def _pooled_in_voxels(row: CaseScore, spacing: Sequence[float] | None) -> float | None:
    if row.status != "ok":
        return None
    return row.hd95_pooled / _voxel(row, spacing) if math.isnan(row.hd95_pooled_voxels) else row.hd95_pooled_voxels


def _by_surfels(row: CaseScore, _: Sequence[float] | None) -> float | None:
    return _surfels(row, row.hd95_surfels) if row.status == "ok" else None


def _nsd_by_surfels(row: CaseScore, _: Sequence[float] | None) -> float | None:
    return _surfels(row, row.nsd_surfels) if row.status != "absent" else None


def _surfels(row: CaseScore, value: float) -> float:
    """Return a score in the convention of surface-distance, which a test computes on request."""
    if math.isnan(value):
        raise RunError(
            f"case {row.case_id} was not scored by {SURFACE_DISTANCE}; run `zoo test` or `zoo score` again with "
            f"`--convention {SURFACE_DISTANCE}`"
        )
    return value


def _voxel(row: CaseScore, spacing: Sequence[float] | None) -> float:
    """Return the side of a voxel, for rows of an older version without distances in voxels."""
    if row.unit == "px":
        return 1.0
    if not spacing:
        raise RunError(f"the spacing of case {row.case_id} was not recorded; run `zoo test` again")
    if max(spacing) - min(spacing) > _ISOTROPIC * max(spacing):
        sides = " x ".join(f"{size:g}" for size in spacing)
        raise RunError(f"case {row.case_id} has voxels of {sides} mm and no recorded distances in voxels")
    return fmean(spacing)


CONVENTIONS: Mapping[str, Convention] = {
    "dice-global": Convention("tp, fp and fn summed over the cases of a class, then Dice", "Dice", pooled=dice),
    "iou-global": Convention(
        "tp, fp and fn summed over the cases of a class, then the Jaccard index", "IoU", pooled=iou
    ),
    "dice-per-image-foreground-only": Convention(
        "mean Dice of the cases whose label has the class: false positives elsewhere do not count", "Dice", _foreground
    ),
    "dice-empty-is-one": Convention(
        "mean Dice of all cases: 1 where the class is neither in the label nor in the prediction", "Dice", _empty_is_one
    ),
    "dice-per-case-foreground-only": Convention(
        "mean Dice over the classes in the label of a case, then over the cases (CVPR25-BiomedSegFM)",
        "Dice",
        _foreground,
        per_case=True,
    ),
    "hit-0.1": Convention(
        "share of the queries with a Dice of 0.1 or more, or without object and prediction (ReXGroundingCT)",
        "Hit rate",
        _hit(0.1),
    ),
    "hit-0.05": Convention(
        "share of the queries with a Dice of 0.05 or more, or without object and prediction (VoxTell)",
        "Hit rate",
        _hit(0.05),
    ),
    "iou-per-image": Convention(
        "mean Jaccard index of the cases with the class in the label or in the prediction", "IoU", _iou
    ),
    "hd95-drop-missed": Convention(
        "mean HD95 of the objects that were found, without missed and spurious objects", "HD95", _found, None, True
    ),
    "hd95-px-drop-missed": Convention(
        "mean HD95 in voxels of the objects that were found, without missed and spurious objects",
        "HD95 (voxels)",
        _in_voxels,
        None,
        True,
    ),
    "hd95-pooled-px-drop-missed": Convention(
        "mean of the 95th percentile of both directions together, in voxels, of the objects that were found",
        "HD95 (voxels)",
        _pooled_in_voxels,
        None,
        True,
    ),
    "hd95-surface-distance-drop-missed": Convention(
        "mean HD95 of DeepMind's surface-distance (corners of voxels, weighed by area) of the objects that were found",
        "HD95",
        _by_surfels,
        None,
        True,
    ),
    "nsd-surface-distance": Convention(
        "mean surface Dice of DeepMind's surface-distance at the tolerance of the data set, 0 for missed and spurious "
        "objects",
        "NSD",
        _nsd_by_surfels,
    ),
} | {
    one.key.replace("_", "-"): Convention(f"{one.doc} ({one.convention})", one.title, mean=one) for one in SCORER_MEANS
}
"""The conventions by name."""


def find_convention(name: str) -> Convention:
    """Return a convention by its name.

    Raises:
        UnknownNameError: There is no such convention.
    """
    if name not in CONVENTIONS:
        raise UnknownNameError("protocol", name, CONVENTIONS, "zoo bench table --help")
    return CONVENTIONS[name]
