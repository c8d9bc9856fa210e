"""Means by the scorers of two challenges, from the rows of a test. Each name begins with whose definition it is.

How a mean treats a query whose mask is empty differs from scorer to scorer, and `docs/metrics.md` has a table of it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from zoo.metrics.case_scores import CaseScore
from zoo.metrics.conventions import CVPR25, REX

_HIT = 0.1
"""Lowest Dice of a hit of ReXGroundingCT."""

_TOLERANCE = 2.0
"""Tolerance of the NSD of CVPR25-BiomedSegFM, in mm."""

Rows = Sequence[CaseScore]


class Counts(NamedTuple):
    """Matched instances, predicted ones without a match, and true ones without a match."""

    tp: int
    fp: int
    fn: int


@dataclass(frozen=True, slots=True)
class ScorerMean:
    """One mean of one scorer.

    Attributes:
        key: Name of the column; the name of the convention of a table has `-` for `_`.
        title: Title of the column.
        convention: The convention by which the rows must be scored.
        doc: Definition in one line.
        of: Computes the mean of rows that `find_reason` accepts; None where no row enters it.
        scored: Whether a row enters the mean.
        prefix: Prefix of the counts that a row must have.
        shown: Whether the leaderboard to read has a column of it.
    """

    key: str
    title: str
    convention: str
    doc: str
    of: Callable[[Rows], float | None]
    scored: Callable[[CaseScore], bool] = lambda row: True
    prefix: str = "rex"
    shown: bool = False

    def find_reason(self, rows: Rows, about: Mapping[str, Any]) -> str:
        """Return why the rows of a test do not have this mean; empty if they have it.

        Args:
            rows: The rows.
            about: Content of `about.json`, or what of it is known.
        """
        lacking = next((row for row in rows if not self._was_scored(row)), None)
        if lacking is not None and lacking.rex_tp is not None and self.prefix == "rex_distance":
            return f"nobody says whether the finding of case {lacking.case_id} is focal, which chooses the distance"
        if lacking is not None:
            return (
                f"case {lacking.case_id} was not scored by {self.convention}; run `zoo test` or `zoo score` again with "
                f"`--convention {self.convention}`"
            )
        tolerance = about.get("tolerance")
        if self.key == "cvpr25_nsd" and (any(row.unit != "mm" for row in rows) or tolerance not in (None, _TOLERANCE)):
            found = f"{tolerance or 'unknown'} {rows[0].unit}"
            return f"the tolerance of the data set is {found}, and that of {self.convention} is {_TOLERANCE:g} mm"
        return "" if any(map(self.scored, rows)) else "no row enters this mean"

    def compute(self, rows: Rows) -> float | None:
        """Compute the mean of the rows that enter it."""
        return self.of([row for row in rows if self.scored(row)])

    def _was_scored(self, row: CaseScore) -> bool:
        """Whether a row was scored by the convention; CVPR25 scores structures by surfaces, and objects by counts."""
        if getattr(row, f"{self.prefix}_tp") is not None:
            return True
        return self.convention == CVPR25 and (row.status == "absent" or _has_surface(row))


def scorer_means(rows: Rows, about: Mapping[str, Any]) -> dict[str, float]:
    """Compute the means by scorers that the rows of a test have, by their keys.

    Args:
        rows: The rows.
        about: Content of `about.json`, or what of it is known.

    Example:
        >>> scorer_means([], {})
        {}
    """
    found = {one.key: one.compute(rows) for one in SCORER_MEANS if rows and not one.find_reason(rows, about)}
    return {key: value for key, value in found.items() if value is not None}


def precision(counts: Counts) -> float:
    """Tp / (tp + fp); 1 where nothing is predicted, as in the scorer of ReXGroundingCT."""
    return counts.tp / (counts.tp + counts.fp) if counts.tp + counts.fp else 1.0


def recall(counts: Counts) -> float:
    """Tp / (tp + fn); 1 where the label is empty, as in the scorer of ReXGroundingCT."""
    return counts.tp / (counts.tp + counts.fn) if counts.tp + counts.fn else 1.0


def f1(counts: Counts, empty: float = 1.0) -> float:
    """2 tp / (2 tp + fp + fn); `empty` where neither mask has an instance."""
    total = 2 * counts.tp + counts.fp + counts.fn
    return 2 * counts.tp / total if total else empty


def _pool(rows: Iterable[CaseScore], prefix: str) -> Counts:
    """Return the counts summed over rows."""
    rows = list(rows)
    return Counts(*(sum(getattr(row, f"{prefix}_{name}") or 0 for row in rows) for name in Counts._fields))


def _mean(values: Iterable[float]) -> float | None:
    there = list(values)
    return math.fsum(there) / len(there) if there else None


def _by_case(rows: Rows) -> list[list[CaseScore]]:
    """Return the rows of each case: of all its queries and classes."""
    cases: dict[str, list[CaseScore]] = {}
    for row in rows:
        cases.setdefault(row.case_id, []).append(row)
    return list(cases.values())


def _per_case(rows: Rows, value: Callable[[CaseScore], float]) -> float | None:
    """Return the mean over the rows of a case, then over the cases."""
    return _mean(_mean(map(value, case)) or 0.0 for case in _by_case(rows))


def _is_structure(row: CaseScore) -> bool:
    """Whether CVPR25 scores the class: the label has it, and does not count objects."""
    return row.tp + row.fn > 0 and _has_surface(row)


def _has_surface(row: CaseScore) -> bool:
    return not math.isnan(row.nsd_surfels)


def _is_counted(row: CaseScore) -> bool:
    return row.cvpr25_tp is not None


def _dice_of_matched(rows: Rows) -> float:
    """Return the mean Dice of the matched instances of a case; 0 without one, as in the scorer of CVPR25."""
    matched = sum(row.cvpr25_tp or 0 for row in rows)
    return math.fsum(row.cvpr25_dice_tp for row in rows) / matched if matched else 0.0


def _of_instances(prefix: str, title: str, matched: str = "") -> tuple[ScorerMean, ScorerMean, ScorerMean]:
    """Return precision, recall and F1 over the instances of all queries, from the counts of a prefix."""

    def mean(name: str, empty: str, of: Callable[[Counts], float], shown: bool = False) -> ScorerMean:
        doc = f"{name} over the instances of all queries{matched}; 1 where {empty}"
        return ScorerMean(
            f"{prefix}_{name.lower()}",
            f"{title} {name}",
            REX,
            doc,
            lambda rows: of(_pool(rows, prefix)),
            prefix=prefix,
            shown=shown,
        )

    return (
        mean("precision", "none is predicted", precision),
        mean("recall", "none is labelled", recall),
        mean("F1", "there is none", f1, shown=True),
    )


_DISTANCE = ", matched by the distance of centroids (focal findings) or of surfaces"

SCORER_MEANS = (
    ScorerMean(
        "rex_dice",
        "ReX Dice",
        REX,
        "mean of `rex_dice` over the queries, 1 where label and prediction are empty",
        lambda rows: _mean(row.rex_dice for row in rows),
    ),
    ScorerMean(
        "rex_dice_case",
        "ReX Dice per case",
        REX,
        "the same over the queries of a case, then over the cases",
        lambda rows: _per_case(rows, lambda row: row.rex_dice),
    ),
    ScorerMean(
        "rex_hit",
        "ReX hit rate",
        REX,
        "share of the queries whose `rex_dice` is 0.1 or more",
        lambda rows: _mean(float(row.rex_dice >= _HIT) for row in rows),
        shown=True,
    ),
    *_of_instances("rex", "ReX"),
    ScorerMean(
        "rex_f1_query",
        "ReX F1 per query",
        REX,
        "mean over the queries of the F1 of their instances, 1 where label and prediction are empty",
        lambda rows: _mean(f1(_pool([row], "rex")) for row in rows),
    ),
    *_of_instances("rex_distance", "ReX distance", _DISTANCE),
    ScorerMean(
        "cvpr25_dice",
        "CVPR25 DSC",
        CVPR25,
        "mean of `dice` over the classes in the label of a case, then over the cases",
        lambda rows: _per_case(rows, lambda row: row.dice),
        _is_structure,
        "cvpr25",
    ),
    ScorerMean(
        "cvpr25_nsd",
        "CVPR25 NSD",
        CVPR25,
        "mean of `nsd_surfels` at 2 mm over the classes in the label of a case, then over the cases",
        lambda rows: _per_case(rows, lambda row: row.nsd_surfels),
        _is_structure,
        "cvpr25",
    ),
    ScorerMean(
        "cvpr25_f1",
        "CVPR25 F1",
        CVPR25,
        "F1 of the instances of a case, 0 without a match, then the mean over the cases",
        lambda rows: _mean(f1(_pool(case, "cvpr25"), empty=0.0) for case in _by_case(rows)),
        _is_counted,
        "cvpr25",
        shown=True,
    ),
    ScorerMean(
        "cvpr25_dsc_tp",
        "CVPR25 DSC TP",
        CVPR25,
        "mean Dice of the matched instances of a case, 0 without a match, then the mean over the cases",
        lambda rows: _mean(map(_dice_of_matched, _by_case(rows))),
        _is_counted,
        "cvpr25",
    ),
)
"""All means by scorers, in the order of the columns of tables."""
