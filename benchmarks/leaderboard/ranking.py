"""How sure a ranking is: intervals of rows, and for a ranking tests against the best, effect sizes and stability."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from benchmarks.leaderboard import statistics as stats
from benchmarks.leaderboard.aggregate import TEXTS
from benchmarks.leaderboard.row import Row, names_of
from benchmarks.storage.seeds import TRUE

ALPHA = 0.05
"""A row whose corrected p value is below is marked."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a row stands in the ranking of its block; a figure is None where it does not exist.

    Attributes:
        label: The row, as it is printed, with its encoder where two share the label.
        rank: From 1; equal Dice, equal rank.
        dice: As in the leaderboard.
        dice_low: Of its 95 % interval over subjects.
        dice_high: Likewise.
        against: The row that it was tested against: the best. Empty for the best itself.
        delta: Its Dice minus the best's.
        delta_low: Of the 95 % interval of that difference, both on the same subjects.
        delta_high: Likewise.
        pairs: Subjects that were compared.
        p: Two-sided, uncorrected.
        p_holm: Corrected over the tests of the block.
        effect: Matched-pairs rank-biserial correlation with the best, from -1 (worse on every subject) to 1.
        win_rate: Share of subjects on which it beats another row, ties half, averaged over the other rows.
        mean_rank: Mean of its rank on each subject.
        rank_share: Share of the bootstrap samples in which it has its rank.
    """

    label: str
    rank: int
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

    @property
    def worse(self) -> bool:
        """Whether it differs from the best by the test."""
        return self.p_holm is not None and self.p_holm < ALPHA


@dataclass(frozen=True, slots=True)
class Ranking:
    """The statistics of a block.

    Attributes:
        standings: One a ranked row, in its order.
        wins: Pairwise win rates: of the row of the line over the row of the column; None where nothing is shared.
        tau: Kendall's tau between the ranking and that of a bootstrap sample, on average.
        test: "wilcoxon" or "permutation".
    """

    standings: tuple[Standing, ...] = ()
    wins: tuple[tuple[float | None, ...], ...] = ()
    tau: float | None = None
    test: stats.Test = "wilcoxon"


def with_intervals(rows: Sequence[Row]) -> list[Row]:
    """The rows with their intervals; those of the same subjects are resampled together."""
    cohorts: dict[str, list[int]] = {}
    for place, row in enumerate(rows):
        if row.sample and len(row.sample.subjects) >= stats.FEWEST:
            cohorts.setdefault(row.sample.cohort, []).append(place)
    found = list(rows)
    for _, places in sorted(cohorts.items()):
        keys = [(place, metric, step) for place in places for metric, step in _wanted(rows[place])]
        drawn = stats.bootstrap([rows[place].samples[step].sums(metric) for place, metric, step in keys])
        values = dict(zip(keys, drawn, strict=True))
        for place in places:
            found[place] = _with_interval(rows[place], {key[1:]: v for key, v in values.items() if key[0] == place})
    return [replace(row, dice_subjects=_subject_mean(row)) for row in found]


def _wanted(row: Row) -> list[tuple[str, str]]:
    """(metric, step) pairs that a row's intervals need."""
    shuffled = f"{TRUE}-{next(iter(TEXTS))}"
    return [("dice", TRUE), ("hd95", TRUE), *([("dice", shuffled)] if shuffled in row.samples else [])]


def _with_interval(row: Row, values: dict[tuple[str, str], stats.Floats]) -> Row:
    dice = values["dice", TRUE]
    ends = dict(zip(("dice_low", "dice_high"), _ends(dice), strict=True))
    ends |= dict(zip(("hd95_low", "hd95_high"), _ends(values["hd95", TRUE]), strict=True))
    if row.text_gain is not None:
        gain = dice - values["dice", f"{TRUE}-shuffled"]
        ends |= dict(zip(("text_gain_low", "text_gain_high"), _ends(gain), strict=True))
    return replace(row, **ends, draws=dice)  # type: ignore[arg-type]


def _ends(values: stats.Floats) -> tuple[float | None, float | None]:
    """None where a resample had nothing to score: the interval would be of the others."""
    return (None, None) if np.isnan(values).any() else stats.interval(values)


def _subject_mean(row: Row) -> float | None:
    return _known(float(stats.mean_known(_subject_scores(row), -1))) if row.sample else None


def _subject_scores(row: Row) -> stats.Floats:
    if row.sample is None:
        raise ValueError(f"{row.label} has no scores of cases")
    return stats.subject_scores(row.sample.sums("dice"))


def rank_rows(rows: Sequence[Row], test: stats.Test = "wilcoxon") -> Ranking:
    """The statistics of ranked rows, best first; the gate has seen to it that they are of the same cases.

    Args:
        rows: Ranked rows, whose intervals are there.
        test: "wilcoxon" or "permutation".
    """
    if not rows or any(row.sample is None for row in rows):
        return Ranking(test=test)
    scores = np.stack([_subject_scores(row) for row in rows])
    printed = np.array([row.dice for row in rows], dtype=float)
    tests = [stats.compare(one, scores[0], test) for one in scores[1:]]
    corrected = stats.holm([one.p for one in tests])
    wins = stats.win_rates(scores)
    others = ~np.eye(len(rows), dtype=bool)
    rates = stats.mean_known(np.where(others, wins, np.nan), -1)
    means = stats.mean_ranks(scores)
    draws = [row.draws for row in rows if row.draws is not None]
    shares, tau = np.full(len(rows), np.nan), math.nan
    if len(draws) == len(rows):
        shares, tau = stats.rank_stability(printed, np.stack(draws))
    standings, names = [], names_of(rows)
    for place, row in enumerate(rows):
        one = tests[place - 1] if place else None
        low, high = _difference(row, rows[0]) if place else (None, None)
        standings.append(
            Standing(
                label=names[row],
                rank=1 + int((np.round(printed - printed[place], stats.DIGITS) > 0).sum()),
                dice=row.dice,
                dice_low=row.dice_low,
                dice_high=row.dice_high,
                against=names[rows[0]] if place else "",
                delta=float(printed[place] - printed[0]) if place else None,
                delta_low=low,
                delta_high=high,
                pairs=one.pairs if one else None,
                p=one.p if one else None,
                p_holm=corrected[place - 1] if place else None,
                effect=one.effect if one else None,
                win_rate=_known(rates[place]),
                mean_rank=_known(means[place]),
                rank_share=_known(shares[place]),
            )
        )
    return Ranking(tuple(standings), tuple(tuple(map(_known, line)) for line in wins.tolist()), _known(tau), test)


def _difference(row: Row, best: Row) -> tuple[float | None, float | None]:
    return (None, None) if row.draws is None or best.draws is None else _ends(row.draws - best.draws)


def _known(value: float) -> float | None:
    return None if math.isnan(value) else float(value)
