"""Means of score rows: first over the cases of a class, then over the classes.

A change of any mean needs a new `zoo.metrics.case_scores.METRIC_VERSION`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from zoo.errors import RunError
from zoo.metrics.case_scores import COUNTS, CaseScore, case_name, sort_rows
from zoo.metrics.definitions import METRIC_KEYS, MetricValues, dice_of_counts


@dataclass(frozen=True, slots=True, kw_only=True)
class MeanScores(MetricValues[float | None]):
    """The means of one class over cases, or the means of those over the classes.

    Each metric has its mean; distances are in the unit of the summary. A class that is absent in every
    case has None for each metric, and the means over classes leave it out. Missed and spurious objects
    enter the means with the worst value of the metric. A case with several queries counts once per query.

    Attributes:
        dice_global: Dice of tp, fp and fn summed over cases.
        cases: Number of cases, with or without a score.
        scored: Number of (case, class) pairs that enter the means: all but the absent ones.
        missed: Number of pairs with the object in the label only.
        spurious: Number of pairs with the object in the prediction only.
        absent: Number of pairs with the object in neither mask.
    """

    dice_global: float | None
    cases: int
    scored: int
    missed: int
    spurious: int
    absent: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary(MeanScores):
    """The scores of a test: means over classes, counts over all pairs, and the scores of each class.

    Attributes:
        unit: Unit of the distances: "mm" or "px".
        per_class: The scores of each class by its name, in the order of the label space.

    Example:
        >>> metrics = {"dice": 0.5, "hd95": 2.0, "hd95_pooled": 2.0, "nsd": 0.5, "assd": 1.0}
        >>> row = CaseScore(case_id="a", label="liver", tp=1, fp=1, fn=1, unit="mm", status="ok", **metrics)
        >>> summarise([row]).per_class["liver"].dice
        0.5
    """

    unit: str
    per_class: Mapping[str, MeanScores]


_MEANS = (*METRIC_KEYS, "dice_global")
_COUNTS = ("scored", "missed", "spurious", "absent")


def summarise(rows: Iterable[CaseScore]) -> Summary:
    """Compute the means of the rows of a test; the order of the rows does not change them.

    Args:
        rows: One row per case, query and class.

    Raises:
        RunError: There are no rows, a row of a case and class is missing or occurs twice, or some
            distances are in mm and others in px.

    Example:
        >>> metrics = {"dice": 0.5, "hd95": 2.0, "hd95_pooled": 2.0, "nsd": 0.5, "assd": 1.0}
        >>> row = CaseScore(case_id="a", label="liver", tp=1, fp=1, fn=1, unit="mm", status="ok", **metrics)
        >>> summarise([row]).hd95, summarise([row]).unit
        (2.0, 'mm')
    """
    ordered = sort_rows(rows)
    by_class: dict[str, list[CaseScore]] = {}
    for row in sorted(ordered, key=lambda row: (row.index, row.label)):
        by_class.setdefault(row.label, []).append(row)
    cases = {case_name(row) for row in ordered}
    _check(by_class, {case_name(row) for row in ordered if not row.query})
    units = sorted({row.unit for row in ordered})
    if len(units) > 1:
        raise RunError(
            f"Distances in {' and in '.join(units)} have no mean: {len(ordered)} rows mix them.",
            "Summarise the data sets one by one.",
        )
    per_class = {name: _of_class(members) for name, members in by_class.items()}
    means = {name: _mean([getattr(one, name) for one in per_class.values()]) for name in _MEANS}
    counts = {name: sum(getattr(one, name) for one in per_class.values()) for name in _COUNTS}
    return Summary(**means, **counts, cases=len(cases), unit=units[0], per_class=per_class)  # type: ignore[arg-type]


def _of_class(rows: Sequence[CaseScore]) -> MeanScores:
    status = [row.status for row in rows]
    scored = [row for row in rows if row.status != "absent"]
    tp, fp, fn = (sum(getattr(row, name) for row in rows) for name in COUNTS)
    return MeanScores(
        **{key: _mean([getattr(row, key) for row in scored]) for key in METRIC_KEYS},
        dice_global=dice_of_counts(tp, fp, fn) if scored else None,
        cases=len(rows),
        scored=len(scored),
        missed=status.count("missed"),
        spurious=status.count("spurious"),
        absent=status.count("absent"),
    )


def _mean(values: Iterable[float | None]) -> float | None:
    """Return the mean of the values that are not None; `fsum` is exact, so their order does not change it."""
    there = [value for value in values if value is not None]
    return math.fsum(there) / len(there) if there else None


def _check(by_class: Mapping[str, Sequence[CaseScore]], whole: set[str]) -> None:
    """Reject missing rows: a mean would leave them out and nobody would notice.

    Args:
        by_class: The rows of each class.
        whole: The cases that need a row of every class. A query may be about some of the classes only.
    """
    if not by_class:
        raise RunError("There are no scores to summarise.", "Run `zoo test` first.")
    for name, rows in by_class.items():
        lacking = sorted(whole - {case_name(row) for row in rows})
        if lacking:
            raise RunError(
                f"{len(lacking)} of {len(whole)} cases have no score of '{name}', the first is '{lacking[0]}'.",
                "Run `zoo test` again.",
            )
