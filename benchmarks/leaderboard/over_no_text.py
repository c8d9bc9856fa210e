"""What the text brings in one network: the row of a model against the row of its own variant `no_text`.

Both networks have the same parameters and were trained and tested on the same samples; the variant has one learned
vector in place of all tokens. The comparison is paired over seeds and subjects.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from statistics import fmean, stdev

import numpy as np

from benchmarks.leaderboard import statistics
from benchmarks.leaderboard.row import LeaderboardRow
from benchmarks.leaderboard.statistics import Sums
from benchmarks.plan.ablations import NO_TEXT
from benchmarks.storage.training_conditions import TRAINING

NO_ROW = "no row of the variant"
"""Why a row has no value where its `no_text` was not trained."""

_CHANGES = ", ".join(f"{key}={value}" for key, value in NO_TEXT.changes)


def add_over_no_text(row: LeaderboardRow, variants: Iterable[LeaderboardRow]) -> LeaderboardRow:
    """Add the Dice of a row minus the Dice of its own `no_text`, or the reason for its absence.

    Args:
        row: The row of a full method, with its samples.
        variants: The rows of its variants.
    """
    if row.text_track == "none":
        return row
    other = next((one for one in variants if one.variant == NO_TEXT.name), None)
    if other is None:
        return replace(row, over_no_text_note=NO_ROW)
    reason = _find_reason(row, other)
    if reason or row.sample is None or other.sample is None:
        return replace(row, over_no_text_note=reason)
    common = sorted({*row.seed_numbers} & {*other.seed_numbers})
    mine, theirs = (_of_seeds(one, common) for one in (row, other))
    gaps = [a - b for a, b in zip(_dice_of_seeds(row, common), _dice_of_seeds(other, common), strict=True)]
    low, high = (None, None) if row.draws is None else _interval(mine, theirs)
    few = len(common) < max(len(row.seed_numbers), len(other.seed_numbers))
    return replace(
        row,
        over_no_text=fmean(gaps),
        over_no_text_std=stdev(gaps) if len(gaps) > 1 else None,
        over_no_text_low=low,
        over_no_text_high=high,
        over_no_text_seeds=len(common),
        over_no_text_note=f"over {len(common)} of {len(row.seed_numbers)} seeds" if few else "",
        against_no_text=(statistics.subject_scores(mine), statistics.subject_scores(theirs)),
    )


def _find_reason(row: LeaderboardRow, other: LeaderboardRow) -> str:
    """Return why a row and its `no_text` cannot be compared; empty where they can."""
    if row.sample is None or row.dice is None:
        return f"the row has no Dice ({row.status})"
    if other.status != "variant" or other.sample is None or other.dice is None:
        return (
            f"its `no_text` is {other.status}: {other.reason}" if other.reason else f"its `no_text` is {other.status}"
        )
    if other.variant_changes != _CHANGES:
        return f"its `no_text` changes {other.variant_changes}, not {_CHANGES} alone"
    if not {*row.seed_numbers} & {*other.seed_numbers}:
        return "no seed that both have"
    differing = [key for key in TRAINING if getattr(other, key) != getattr(row, key)]
    if differing:  # for example, the card has changed between the two trainings
        shown = "; ".join(f"{key} {getattr(other, key)}, not {getattr(row, key)}" for key in differing)
        return f"its `no_text` was trained otherwise: {shown}"
    same = (row.sample.cohort, row.sample.classes) == (other.sample.cohort, other.sample.classes)
    return "" if same else "its `no_text` has other cases or subjects"


def _of_seeds(row: LeaderboardRow, seeds: Sequence[int]) -> Sums:
    """Return the sums of a row over some of its seeds."""
    if row.sample is None:
        raise ValueError(f"{row.label} has no scores of cases")
    places = [row.seed_numbers.index(seed) for seed in seeds]
    return Sums(*(part[places] for part in row.sample.sums("dice")))


def _dice_of_seeds(row: LeaderboardRow, seeds: Sequence[int]) -> list[float]:
    values = (row.true_tests[row.seed_numbers.index(seed)].summary.dice for seed in seeds)
    return [np.nan if value is None else value for value in values]


def _interval(mine: Sums, other: Sums) -> tuple[float | None, float | None]:
    """Return the interval of the difference over subjects, both rows on the same draws."""
    one, two = statistics.bootstrap([mine, other])
    return (None, None) if np.isnan(one - two).any() else statistics.interval(one - two)


@dataclass(frozen=True, slots=True)
class PairedTest:
    """The paired test of a row against its own `no_text`; a value is None where it does not exist."""

    pairs: int | None = None
    p: float | None = None
    p_holm: float | None = None
    effect: float | None = None


def compare_with_no_text(rows: Sequence[LeaderboardRow], test: statistics.Test) -> list[PairedTest]:
    """Test each row against its own `no_text`, paired over subjects and corrected by Holm over these rows.

    Args:
        rows: The ranked rows of a group.
        test: "wilcoxon" or "permutation".
    """
    pairs = [row.against_no_text for row in rows]
    found = [None if pair is None else statistics.compare(*pair, test) for pair in pairs]
    corrected = statistics.holm([None if one is None else one.p for one in found])
    return [
        PairedTest() if one is None else PairedTest(one.pairs, one.p, p_holm, one.effect)
        for one, p_holm in zip(found, corrected, strict=True)
    ]
