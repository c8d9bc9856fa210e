"""Rows of made-up scores. The fake commands import this module often, so it imports little."""

from __future__ import annotations

from typing import Any

from zoo.metrics.case_scores import CaseScore
from zoo.metrics.definitions import METRICS, absent_values


def row(case: str, label: str, dice: float, hd95: float = 2.0, status: str = "ok", unit: str = "mm") -> CaseScore:
    """Return a row whose counts have the given Dice."""
    tp = round(dice * 1000)
    fp, fn = (0 if status == other else 1000 - tp for other in ("missed", "spurious"))
    values: dict[str, Any] = {metric.key: hd95 if metric.unit == "distance" else dice for metric in METRICS}
    return CaseScore(
        case_id=case,
        query="",
        label=label,
        tp=tp,
        fp=fp,
        fn=fn,
        unit=unit,
        status=status,
        index=1,
        mark="",
        **values,
    )


def absent(case: str, label: str) -> CaseScore:
    """Return a row of an object that neither mask contains."""
    values: dict[str, Any] = absent_values()
    return CaseScore(
        case_id=case,
        query="",
        label=label,
        tp=0,
        fp=0,
        fn=0,
        unit="mm",
        status="absent",
        index=1,
        mark="",
        **values,
    )
