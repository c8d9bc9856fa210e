"""Means over rows of scores: over the cases of a class first, then over the classes.

A change of any mean is a change of `zoo.metrics.case_scores.METRIC_VERSION`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from zoo.errors import RunError
from zoo.metrics.case_scores import CaseScore, sort_rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """The figures of one class, or their means over the classes.

    A class whose object is absent in every case has None in each score and is left out of the means
    over classes. Missed and spurious objects are scored: Dice and `nsd` 0, distances the diagonal.

    Attributes:
        dice: Mean over cases.
        dice_global: From tp, fp and fn summed over cases.
        hd95: Mean over cases, in the summary's unit.
        hd95_pooled: Likewise.
        nsd: Mean over cases.
        assd: Mean over cases, in the summary's unit.
        cases: Number of cases, whether scored or not.
        scored: Number of (case, class) pairs that enter the means: all but the absent ones.
        missed: Number of pairs where the object is in the label only.
        spurious: Number of pairs where it is in the prediction only.
        absent: Number of pairs where it is in neither.
    """

    dice: float | None
    dice_global: float | None
    hd95: float | None
    hd95_pooled: float | None
    nsd: float | None
    assd: float | None
    cases: int
    scored: int
    missed: int
    spurious: int
    absent: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary(Figures):
    """The figures of a test: means over classes, counts over all pairs, and the same of each class.

    Attributes:
        unit: Of the distances: "mm" or "px".
        per_class: The figures of each class by its name, in the order of the label space.
    """

    unit: str
    per_class: Mapping[str, Figures]


_MEANS = ("dice", "dice_global", "hd95", "hd95_pooled", "nsd", "assd")
_COUNTS = ("scored", "missed", "spurious", "absent")


def summarise(rows: Iterable[CaseScore]) -> Summary:
    """The means of a test's rows; the order of the rows does not show.

    Args:
        rows: One row for each of the cases and each of the classes.

    Raises:
        RunError: There are no rows, a pair of case and class is missing or stands twice, or
            distances in mm and in px would be averaged together.
    """
    ordered = sort_rows(rows)
    by_class: dict[str, list[CaseScore]] = {}
    for row in sorted(ordered, key=lambda row: (row.index, row.label)):
        by_class.setdefault(row.label, []).append(row)
    cases = {row.case_id for row in ordered}
    _check(by_class, cases)
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


def _of_class(rows: Sequence[CaseScore]) -> Figures:
    status = [row.status for row in rows]
    scored = [row for row in rows if row.status != "absent"]
    tp, fp, fn = (sum(getattr(row, name) for row in rows) for name in ("tp", "fp", "fn"))
    return Figures(
        dice=_mean([row.dice for row in scored]),
        dice_global=2 * tp / (2 * tp + fp + fn) if scored else None,
        hd95=_mean([row.hd95 for row in scored]),
        hd95_pooled=_mean([row.hd95_pooled for row in scored]),
        nsd=_mean([row.nsd for row in scored]),
        assd=_mean([row.assd for row in scored]),
        cases=len(rows),
        scored=len(scored),
        missed=status.count("missed"),
        spurious=status.count("spurious"),
        absent=status.count("absent"),
    )


def _mean(values: Iterable[float | None]) -> float | None:
    """The mean of what is there; `fsum` is exact, so no order of the values can change it."""
    there = [value for value in values if value is not None]
    return math.fsum(there) / len(there) if there else None


def _check(by_class: Mapping[str, Sequence[CaseScore]], cases: set[str]) -> None:
    """A missing row would drop out of a mean without a trace."""
    if not by_class:
        raise RunError("There are no scores to summarise.", "Run `zoo test` first.")
    for name, rows in by_class.items():
        lacking = sorted(cases - {row.case_id for row in rows})
        if lacking:
            raise RunError(
                f"{len(lacking)} of {len(cases)} cases have no score of '{name}', the first is '{lacking[0]}'.",
                "Run `zoo test` again.",
            )
