"""Checks the values of a score row, so that no impossible number enters a mean."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from zoo.metrics.definitions import METRICS, SURFELS, VOXELS, dice_of_counts

if TYPE_CHECKING:
    from zoo.metrics.case_scores import CaseScore

_ROUNDING = 1e-9
"""Difference that rounding may make between a Dice and the Dice of its counts."""


def check_values(row: CaseScore) -> None:
    """Check the values of a row against its counts and against each other.

    Raises:
        ValueError: The Dice is not that of the counts, a ratio is not between 0 and 1, a distance is negative, or a
            missed or spurious object has not the worst values.
    """
    for name in (*VOXELS, SURFELS[0]):
        if getattr(row, name) < 0 or math.isinf(getattr(row, name)):
            raise ValueError(f"{name} is {getattr(row, name)}, which is no distance")
    if not math.isnan(row.nsd_surfels) and not 0 <= row.nsd_surfels <= 1:
        raise ValueError(f"nsd_surfels is {row.nsd_surfels}, which is no ratio")
    if row.status == "absent":
        return
    dice = dice_of_counts(row.tp, row.fp, row.fn)
    if not math.isclose(row.dice, dice, abs_tol=_ROUNDING):
        raise ValueError(f"dice is {row.dice}, but the counts tp, fp, fn = {row.tp}, {row.fp}, {row.fn} give {dice}")
    for metric in METRICS:
        value, highest = getattr(row, metric.key), math.inf if metric.unit == "distance" else 1.0
        if not 0 <= value <= highest:
            raise ValueError(f"{metric.key} is {value}, which is no {metric.unit or 'ratio'}")
        if row.status != "ok" and metric.worst not in ("diagonal", value):
            raise ValueError(f"{metric.key} is {value} although the object is {row.status}")
