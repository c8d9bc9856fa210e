"""The fields of a score row by the scorers of two challenges: counts, from which pooled and mean scores can be made."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from zoo.metrics.definitions import MetricValues

if TYPE_CHECKING:
    from zoo.metrics.case_scores import CaseScore

REX_DISTANCE = ("rex_distance_tp", "rex_distance_fp", "rex_distance_fn")

REX_FIELDS = ("rex_dice", "rex_tp", "rex_fp", "rex_fn", *REX_DISTANCE)
"""Fields in the convention of ReXGroundingCT."""

CVPR25_FIELDS = ("cvpr25_tp", "cvpr25_fp", "cvpr25_fn", "cvpr25_dice_tp")
"""Fields in the convention of CVPR25-BiomedSegFM."""

SCORER_FLOATS = ("rex_dice", "cvpr25_dice_tp")
"""The fields that are no counts."""

_LOWEST_DICE = 2 / 3  # of two instances with an IoU of 0.5
_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class ScorerFields(MetricValues[float]):
    """What two scorers count in one case, query and class; a count is None where the scorer was not asked for.

    Attributes:
        rex_dice: Dice without the predicted components that ReXGroundingCT drops; 1 where both masks are empty.
        rex_tp: Matched instances by ReXGroundingCT.
        rex_fp: Its predicted instances without a match.
        rex_fn: Its instances of the label without a match.
        rex_distance_tp: Instances that it matches by distance; None where nobody says whether the finding is focal.
        rex_distance_fp: Predicted instances without a match by distance.
        rex_distance_fn: Instances of the label without a match by distance.
        cvpr25_tp: Matched instances by CVPR25-BiomedSegFM; None also where a label shows a structure, no objects.
        cvpr25_fp: Its predicted instances without a match.
        cvpr25_fn: Its instances of the label without a match.
        cvpr25_dice_tp: Sum of the Dice of its matched instances.
    """

    rex_dice: float = math.nan
    rex_tp: int | None = None
    rex_fp: int | None = None
    rex_fn: int | None = None
    rex_distance_tp: int | None = None
    rex_distance_fp: int | None = None
    rex_distance_fn: int | None = None
    cvpr25_tp: int | None = None
    cvpr25_fp: int | None = None
    cvpr25_fn: int | None = None
    cvpr25_dice_tp: float = math.nan


def check_scorer_fields(row: CaseScore) -> None:
    """Check the fields of the scorers against each other and against the voxels of the row.

    Raises:
        ValueError: Some fields of a scorer are missing, a count contradicts an empty mask, or a Dice is impossible.
    """
    for prefix, names in (("rex", REX_FIELDS[:4]), ("rex_distance", REX_DISTANCE), ("cvpr25", CVPR25_FIELDS)):
        values = [getattr(row, name) for name in names]
        known = [value is not None and not math.isnan(value) for value in values]
        if not any(known):
            continue
        if not all(known):
            raise ValueError(f"{names[known.index(False)]} is missing, but other fields of {prefix} are not")
        tp, fp, fn = (getattr(row, f"{prefix}_{name}") for name in ("tp", "fp", "fn"))
        if min(tp, fp, fn) < 0:
            raise ValueError(f"a count of {prefix} is below 0")
        if bool(tp + fn) != bool(row.tp + row.fn) or (tp + fp and not row.tp + row.fp):
            raise ValueError(f"the instances of {prefix}, {tp}, {fp} and {fn}, contradict the counts of voxels")
    if not math.isnan(row.rex_dice) and not 0 <= row.rex_dice <= 1:
        raise ValueError(f"rex_dice is {row.rex_dice}, which is no ratio")
    if row.cvpr25_tp is not None:
        lowest, highest = _LOWEST_DICE * row.cvpr25_tp, float(row.cvpr25_tp)
        if not lowest - _ROUNDING * highest <= row.cvpr25_dice_tp <= highest * (1 + _ROUNDING):
            raise ValueError(f"cvpr25_dice_tp is {row.cvpr25_dice_tp}, which no {row.cvpr25_tp} matched instances have")
