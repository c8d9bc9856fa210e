"""How certain a ranking is: intervals of rows, tests against the best row, effect sizes and stability."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from benchmarks.leaderboard import statistics
from benchmarks.leaderboard.aggregate import TEXTS, Owners
from benchmarks.leaderboard.over_no_text import compare_with_no_text
from benchmarks.leaderboard.row import LeaderboardRow, unique_labels
from benchmarks.leaderboard.statistics import Floats
from benchmarks.leaderboard.subjects import INTERVAL_METRICS, make_sample
from benchmarks.storage.layout import TRUE_TEXT_STEP

ALPHA = 0.05
"""A row with a smaller corrected p value differs from the best row."""


@dataclass(frozen=True, slots=True)
class RankedRow:
    """The place of a row in the ranking of its group; a value is None where it does not exist.

    `benchmarks.tables.statistics_columns.RANKED_COLUMNS` defines each field.

    Example:
        >>> from dataclasses import fields
        >>> unknown = dict.fromkeys(field.name for field in fields(RankedRow))
        >>> RankedRow(**unknown | {"label": "unet", "rank": 1, "dice": 0.9}).rank
        1
    """

    label: str
    rank: int | None
    dice: float | None
    dice_low: float | None
    dice_high: float | None
    against: str
    delta: float | None
    delta_low: float | None
    delta_high: float | None
    pairs: int | None
    p: float | None
    p_holm: float | None
    effect: float | None
    win_rate: float | None
    mean_rank: float | None
    rank_share: float | None
    over_no_text: float | None = None
    over_no_text_low: float | None = None
    over_no_text_high: float | None = None
    over_no_text_pairs: int | None = None
    over_no_text_p: float | None = None
    over_no_text_p_holm: float | None = None
    over_no_text_effect: float | None = None

    @property
    def worse(self) -> bool:
        """Whether the row differs from the best row by the test."""
        return self.p_holm is not None and self.p_holm < ALPHA


@dataclass(frozen=True, slots=True)
class Ranking:
    """The statistics of a ranking group.

    Attributes:
        rows: One entry per ranked row, in the order of the ranking.
        wins: Pairwise win rates, of the row of the line over the row of the column; None where both have no subject.
        tau: Mean of Kendall's tau between the ranking and the rankings of bootstrap samples.
        test: "wilcoxon" or "permutation".
    """

    rows: tuple[RankedRow, ...] = ()
    wins: tuple[tuple[float | None, ...], ...] = ()
    tau: float | None = None
    test: statistics.Test = "wilcoxon"


def add_samples(rows: Sequence[LeaderboardRow], owners: Owners) -> list[LeaderboardRow]:
    """Add the scores by subject to rows, and their mean over subjects.

    Args:
        rows: The rows.
        owners: The subject of each case.
    """
    found = [_add_samples(row, owners) for row in rows]
    return [replace(row, dice_subjects=_mean_over_subjects(row)) for row in found]


def add_intervals(rows: Sequence[LeaderboardRow]) -> list[LeaderboardRow]:
    """Add the intervals to rows; rows of the same subjects have the same bootstrap samples.

    Args:
        rows: The rows with their samples.
    """
    found = list(rows)
    cohorts: dict[str, list[int]] = {}
    for place, row in enumerate(found):
        if row.sample and len(row.sample.subjects) >= statistics.FEWEST:
            cohorts.setdefault(row.sample.cohort, []).append(place)
    for _, places in sorted(cohorts.items()):
        keys = [(place, metric, step) for place in places for metric, step in _interval_keys(found[place])]
        drawn = statistics.bootstrap([found[place].samples[step].sums(metric) for place, metric, step in keys])
        values = dict(zip(keys, drawn, strict=True))
        for place in places:
            found[place] = _add_interval(found[place], {key[1:]: v for key, v in values.items() if key[0] == place})
    return found


def _add_samples(row: LeaderboardRow, owners: Owners) -> LeaderboardRow:
    if not row.tests:
        return row
    samples = {step: make_sample(tests, row.data, owners) for step, tests in row.tests.items()}
    return replace(row, samples=samples, subjects=len(samples[TRUE_TEXT_STEP].subjects))


_SHUFFLED_STEP = f"{TRUE_TEXT_STEP}-{next(iter(TEXTS))}"


def _interval_keys(row: LeaderboardRow) -> list[tuple[str, str]]:
    """Return the (metric, step) pairs that the intervals of a row need."""
    shuffled = [("dice", _SHUFFLED_STEP)] if _SHUFFLED_STEP in row.samples else []
    return [*((metric, TRUE_TEXT_STEP) for metric in INTERVAL_METRICS), *shuffled]


def _add_interval(row: LeaderboardRow, values: dict[tuple[str, str], Floats]) -> LeaderboardRow:
    drawn = {metric: values[metric, TRUE_TEXT_STEP] for metric in INTERVAL_METRICS}
    if row.text_gain is not None:
        drawn["text_gain"] = drawn["dice"] - values["dice", _SHUFFLED_STEP]
    ends = {f"{key}_{end}": value for key, ones in drawn.items() for end, value in _interval_ends(ones).items()}
    return replace(row, **ends, draws=drawn["dice"])  # type: ignore[arg-type]


def _interval_ends(values: Floats) -> dict[str, float | None]:
    """Return "low" and "high"; None where a sample has nothing to score, because the others alone would mislead."""
    low, high = (None, None) if np.isnan(values).any() else statistics.interval(values)
    return {"low": low, "high": high}


def _mean_over_subjects(row: LeaderboardRow) -> float | None:
    return _none_for_nan(float(statistics.mean_known(subject_scores(row), -1))) if row.sample else None


def subject_scores(row: LeaderboardRow) -> Floats:
    """Return the Dice of each subject of a row (`statistics.subject_scores`).

    Raises:
        ValueError: The row has no scores of cases.
    """
    if row.sample is None:
        raise ValueError(f"{row.label} has no scores of cases")
    return statistics.subject_scores(row.sample.sums("dice"))


def rank_rows(rows: Sequence[LeaderboardRow], test: statistics.Test = "wilcoxon") -> Ranking:
    """Compute the statistics of ranked rows of the same cases.

    Args:
        rows: Rows with their intervals, best first.
        test: "wilcoxon" or "permutation".
    """
    if not rows or any(row.sample is None for row in rows):
        return Ranking(test=test)
    scores = np.stack([subject_scores(row) for row in rows])
    printed = np.array([row.dice for row in rows], dtype=float)
    tests = [statistics.compare(one, scores[0], test) for one in scores[1:]]
    corrected = statistics.holm([one.p for one in tests])
    over = compare_with_no_text(rows, test)
    wins = statistics.win_rates(scores)
    others = ~np.eye(len(rows), dtype=bool)
    rates = statistics.mean_known(np.where(others, wins, np.nan), -1)
    means = statistics.mean_ranks(scores)
    draws = [row.draws for row in rows if row.draws is not None]
    shares, tau = np.full(len(rows), np.nan), math.nan
    if len(draws) == len(rows):
        shares, tau = statistics.rank_stability(printed, np.stack(draws))
    ranked, labels = [], unique_labels(rows)
    for place, row in enumerate(rows):
        one = tests[place - 1] if place else None
        ends = difference_ends(row, rows[0]) if place else {"low": None, "high": None}
        ranked.append(
            RankedRow(
                label=labels[row],
                rank=1 + int((np.round(printed - printed[place], statistics.DIGITS) > 0).sum()),
                dice=row.dice,
                dice_low=row.dice_low,
                dice_high=row.dice_high,
                against=labels[rows[0]] if place else "",
                delta=float(printed[place] - printed[0]) if place else None,
                delta_low=ends["low"],
                delta_high=ends["high"],
                pairs=one.pairs if one else None,
                p=one.p if one else None,
                p_holm=corrected[place - 1] if place else None,
                effect=one.effect if one else None,
                win_rate=_none_for_nan(rates[place]),
                mean_rank=_none_for_nan(means[place]),
                rank_share=_none_for_nan(shares[place]),
                over_no_text=row.over_no_text,
                over_no_text_low=row.over_no_text_low,
                over_no_text_high=row.over_no_text_high,
                over_no_text_pairs=over[place].pairs,
                over_no_text_p=over[place].p,
                over_no_text_p_holm=over[place].p_holm,
                over_no_text_effect=over[place].effect,
            )
        )
    table = tuple(tuple(map(_none_for_nan, line)) for line in wins.tolist())
    return Ranking(tuple(ranked), table, _none_for_nan(tau), test)


def difference_ends(row: LeaderboardRow, other: LeaderboardRow) -> dict[str, float | None]:
    """Return "low" and "high" of the interval of the Dice of a row minus that of another row of the same subjects."""
    if row.draws is None or other.draws is None:
        return {"low": None, "high": None}
    return _interval_ends(row.draws - other.draws)


def _none_for_nan(value: float) -> float | None:
    return None if math.isnan(value) else float(value)
