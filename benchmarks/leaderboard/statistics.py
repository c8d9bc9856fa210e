"""The statistics of a comparison, as functions of arrays; `docs/statistics.md` says what each number means.

`values` are scores of one row: float (R seeds, N cases, K classes), NaN where there was nothing to score.
A subject owns one case or several, which are not independent: subjects are what is resampled and paired.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Floats = NDArray[np.float64]
Test = Literal["wilcoxon", "permutation"]

FEWEST = 6
"""Subjects that an interval and a test need: with five, no two-sided signed-rank p value can fall below 0.05."""

LEVEL = 0.95
RESAMPLES = 9_999
SEED = 20_251_122
_BATCH = 500  # resamples at a time: their weights are the largest array here
_ORDERS = 1_000  # resamples whose order is compared by Kendall's tau
DIGITS = 12
"""Differences are rounded to: what is below is the rounding of sums, and would break ties."""


class Sums(NamedTuple):
    """The scores of one row, summed over the cases of each subject.

    Attributes:
        total: (R, S, K), 0 where nothing was scored.
        scored: (R, S, K), how many cases were.
    """

    total: Floats
    scored: Floats


class Comparison(NamedTuple):
    """A row against another, paired by subject.

    Attributes:
        pairs: Subjects that were compared.
        p: Two-sided p value before any correction; None where there are fewer than `FEWEST` pairs.
        effect: Matched-pairs rank-biserial correlation, from -1 (worse in every pair) to 1; None without pairs.
    """

    pairs: int
    p: float | None
    effect: float | None


def sum_subjects(values: Floats, owners: NDArray[np.int64], subjects: int) -> Sums:
    """Sums and counts over the cases of each subject.

    Args:
        values: (R, N, K).
        owners: (N,), the number of each case's subject.
        subjects: How many there are, S.
    """
    known = ~np.isnan(values)
    seeds, _, classes = values.shape
    total, scored = np.zeros((2, subjects, seeds, classes))
    np.add.at(total, owners, np.where(known, values, 0.0).swapaxes(0, 1))
    np.add.at(scored, owners, known.swapaxes(0, 1).astype(float))
    return Sums(total.swapaxes(0, 1), scored.swapaxes(0, 1))


def table_mean(sums: Sums, weights: Floats) -> Floats:
    """The mean that tables print, with each subject counted as often as its weight says.

    Over the cases of a class, then over the classes that have any, then over the seeds; with all weights 1 it is
    the `dice` of `zoo.metrics.summary`, averaged over seeds. NaN where a seed has nothing to score.

    Args:
        sums: Of one row.
        weights: (..., S).

    Returns:
        (...).
    """
    classes = _ratio(_weigh(weights, sums.total), _weigh(weights, sums.scored))  # (..., R, K)
    return np.asarray(mean_known(classes, -1).mean(-1))


def _weigh(weights: Floats, values: Floats) -> Floats:
    """(..., S) and (R, S, K) to (..., R, K), as one matrix product."""
    seeds, subjects, classes = values.shape
    flat = values.transpose(1, 0, 2).reshape(subjects, seeds * classes)
    return (weights @ flat).reshape(*weights.shape[:-1], seeds, classes)


def subject_scores(sums: Sums) -> Floats:
    """One score a subject: the mean over its cases of a class, then over its classes, then over the seeds.

    Args:
        sums: Of one row.

    Returns:
        (S,), NaN where nothing of a subject was scored.
    """
    return mean_known(mean_known(_ratio(sums.total, sums.scored), 2), 0)


def bootstrap(rows: Sequence[Sums], resamples: int = RESAMPLES, seed: int = SEED) -> Floats:
    """The `table_mean` of each row over subjects drawn with replacement, the same draws for all rows.

    Args:
        rows: Rows of the same S subjects in the same order.
        resamples: How many.
        seed: Of the draws; the same seed and S give the same draws in every call.

    Returns:
        (rows, resamples), NaN where a seed of a resample has nothing to score.
    """
    subjects = rows[0].total.shape[1]

    def statistic(drawn: Any, axis: int = -1) -> Floats:
        weights = _weights(np.asarray(drawn, dtype=np.int64), subjects)
        return np.stack([table_mean(row, weights) for row in rows])

    with warnings.catch_warnings():  # of its own interval, where a resample has nothing to score
        warnings.simplefilter("ignore", stats.DegenerateDataWarning)
        found = stats.bootstrap(
            (np.arange(subjects),),
            statistic,
            vectorized=True,
            n_resamples=resamples,
            batch=_BATCH,
            confidence_level=LEVEL,
            method="percentile",
            rng=np.random.default_rng(seed),
        )
    return np.asarray(found.bootstrap_distribution)


def _weights(drawn: NDArray[np.int64], subjects: int) -> Floats:
    """(..., S) drawn numbers to how often each subject was drawn, (..., S)."""
    flat = drawn.reshape(-1, drawn.shape[-1])
    places = flat + subjects * np.arange(len(flat))[:, None]
    counts = np.bincount(places.ravel(), minlength=len(flat) * subjects)
    return counts.reshape(*drawn.shape[:-1], subjects).astype(float)


def interval(values: Floats) -> tuple[float, float]:
    """The percentile interval of bootstrapped values: of a row, or of the difference of two on the same draws."""
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(values, (tail, 1 - tail))
    return float(low), float(high)


def compare(mine: Floats, other: Floats, test: Test = "wilcoxon") -> Comparison:
    """A paired two-sided test of a row's subject scores against another row's.

    A subject that only one of the two has scores of (the other has rightly found nothing) is compared with
    the other's mean: that is what leaving it out of that mean amounts to. One that neither has is left out.

    Args:
        mine: (S,).
        other: (S,), the same subjects.
        test: "wilcoxon": signed ranks with zeros as Pratt (1959) has them, exact for up to 50 pairs without ties or
            zeros and for up to 13 with them, else the corrected normal approximation. "permutation": of the mean
            difference by changes of sign, exact for up to 13 pairs, else `RESAMPLES` seeded draws.
    """
    scored = ~(np.isnan(mine) & np.isnan(other))
    gaps = np.round(_filled(mine)[scored] - _filled(other)[scored], DIGITS)
    pairs = len(gaps)
    if not pairs or np.isnan(gaps).any():  # a row without a single score has no mean to stand in
        return Comparison(0, None, None)
    effect = rank_biserial(gaps)
    if pairs < FEWEST:
        return Comparison(pairs, None, effect)
    return Comparison(pairs, _TESTS[test](gaps) if gaps.any() else 1.0, effect)


def _wilcoxon(gaps: Floats) -> float:
    return float(stats.wilcoxon(gaps, zero_method="pratt", correction=True, method="auto").pvalue)


def _permutation(gaps: Floats) -> float:
    rng = np.random.default_rng(SEED)
    found = stats.permutation_test(
        (gaps,),
        lambda x, axis: np.round(np.mean(x, axis=axis), DIGITS),
        permutation_type="samples",
        vectorized=True,
        n_resamples=RESAMPLES,
        rng=rng,
    )
    return float(found.pvalue)


_TESTS: dict[Test, Callable[[Floats], float]] = {"wilcoxon": _wilcoxon, "permutation": _permutation}


def rank_biserial(gaps: Floats) -> float:
    """Kerby's (2014) matched-pairs rank-biserial correlation: (W+ - W-) / (W+ + W-), zeros ranked and not counted.

    Args:
        gaps: Differences of pairs, one at least.
    """
    signed = stats.rankdata(np.abs(gaps)) * np.sign(gaps)
    both = float(np.abs(signed).sum())
    return float(signed.sum()) / both if both else 0.0


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Holm's (1979) step-down correction over the tests that there are."""
    there = [p for p in p_values if p is not None]
    if not there:
        return [None] * len(p_values)
    from statsmodels.stats.multitest import multipletests  # a second to import

    corrected = iter(float(p) for p in multipletests(there, method="holm")[1])
    return [None if p is None else next(corrected) for p in p_values]


def win_rates(scores: Floats) -> Floats:
    """How often each row beats each other one.

    Args:
        scores: (rows, S) subject scores.

    Returns:
        (rows, rows): share of the subjects scored in either where the first is better, ties counting half; 0.5 on
        the diagonal, NaN where two rows have no subject.
    """
    full = _filled(scores)
    gaps = np.round(full[:, None] - full[None], DIGITS)
    neither = np.isnan(scores)[:, None] & np.isnan(scores)[None]
    return mean_known(np.where(neither, np.nan, (np.sign(gaps) + 1) / 2), -1)


def mean_ranks(scores: Floats) -> Floats:
    """The mean over subjects of each row's rank among the rows, 1 the best, ties sharing their mean rank.

    Args:
        scores: (rows, S) subject scores; a subject without any is left out.

    Returns:
        (rows,).
    """
    full = _filled(scores)[:, ~np.isnan(scores).all(axis=0)]
    if not full.shape[1] or np.isnan(full).any():
        return np.full(len(scores), np.nan)
    return np.asarray(stats.rankdata(-np.round(full, DIGITS), axis=0).mean(axis=1))


def rank_stability(printed: Floats, draws: Floats) -> tuple[Floats, float]:
    """How far the ranking depends on who happened to be tested.

    Args:
        printed: (rows,) the scores that rank them.
        draws: (rows, resamples) the same under the bootstrap.

    Returns:
        For each row the share of the resamples in which it has its own rank, and Kendall's tau (b) between the
        ranking and that of a resample, averaged over the first 1,000; NaN for a single row.
    """
    whole = np.round(draws[:, ~np.isnan(draws).any(axis=0)], DIGITS)
    if not whole.shape[1]:
        return np.full(len(printed), np.nan), float("nan")
    own = stats.rankdata(-np.round(printed, DIGITS), method="min")
    ranks = stats.rankdata(-whole, method="min", axis=0)
    share = np.asarray((ranks == own[:, None]).mean(axis=1))
    orders, times = np.unique(ranks[:, :_ORDERS], axis=1, return_counts=True)
    if len(own) < 2 or len(set(own)) < 2:
        return share, float("nan")
    taus = [stats.kendalltau(own, order).statistic if len(set(order)) > 1 else 0.0 for order in orders.T]
    return share, float(np.average(taus, weights=times))


def mean_known(values: Floats, axis: int) -> Floats:
    """The mean of what is not NaN; NaN, without a warning, where nothing is there."""
    known = ~np.isnan(values)
    return _ratio(np.where(known, values, 0.0).sum(axis), known.sum(axis).astype(float))


def _ratio(total: Floats, count: Floats) -> Floats:
    found: Floats = np.divide(total, count, out=np.full(np.shape(total), np.nan), where=np.asarray(count) > 0)
    return found


def _filled(scores: Floats) -> Floats:
    """(..., S) with each row's mean where it has no score of a subject."""
    return np.where(np.isnan(scores), mean_known(scores, -1)[..., None], scores)
