"""The statistics of a comparison, as functions of arrays; `docs/statistics.md` defines each number.

`values` are the scores of one row: float (R seeds, N cases, K classes), NaN where there is no score. A subject has one
case or several. Cases of one subject are not independent, so subjects are drawn and paired, and not cases.

`scipy.stats` is imported where it is called: it takes two seconds, and a table without statistics does not need it.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Test = Literal["wilcoxon", "permutation"]

FEWEST = 6
"""Subjects that an interval and a test need: with five, no two-sided signed-rank p value is below 0.05."""

LEVEL = 0.95
RESAMPLES = 9_999
SEED = 20_251_122
_BATCH = 500  # bootstrap samples at a time: their weights are the largest array of this module
_ORDERS = 1_000  # bootstrap samples whose order Kendall's tau compares
DIGITS = 12
"""Digits to which differences are rounded: smaller differences are the rounding of sums, and would break ties."""


class Sums(NamedTuple):
    """The scores of one row, summed over the cases of each subject.

    Attributes:
        total: (R, S, K), sum of the scores; 0 where no case has a score.
        scored: (R, S, K), number of cases with a score.
    """

    total: Floats
    scored: Floats


class Comparison(NamedTuple):
    """The comparison of two rows, paired by subject.

    Attributes:
        pairs: Number of subjects that were compared.
        p: Two-sided p value, uncorrected; None for fewer than `FEWEST` pairs.
        effect: Matched-pairs rank-biserial correlation, from -1 (worse in every pair) to 1; None without pairs.
    """

    pairs: int
    p: float | None
    effect: float | None


def sum_subjects(values: Floats, owners: NDArray[np.int64], subjects: int) -> Sums:
    """Sum and count the scores over the cases of each subject.

    Args:
        values: (R seeds, N cases, K classes), NaN where a case has no score.
        owners: (N,), the number of the subject of each case.
        subjects: Number of subjects, S.
    """
    known = ~np.isnan(values)
    seeds, _, classes = values.shape
    total, scored = np.zeros((2, subjects, seeds, classes))
    np.add.at(total, owners, np.where(known, values, 0.0).swapaxes(0, 1))
    np.add.at(scored, owners, known.swapaxes(0, 1).astype(float))
    return Sums(total.swapaxes(0, 1), scored.swapaxes(0, 1))


def table_mean(sums: Sums, weights: Floats) -> Floats:
    """Compute the mean that tables print, in which each subject counts as often as its weight.

    The mean is over the cases of a class, then over the classes with a score, then over the seeds. With all weights 1
    it is the `dice` of `zoo.metrics.summary`, averaged over the seeds.

    Args:
        sums: The sums of one row.
        weights: (..., S).

    Returns:
        (...), NaN where a seed has no score.
    """
    classes = _ratio(_weigh(weights, sums.total), _weigh(weights, sums.scored))  # (..., R, K)
    return np.asarray(mean_known(classes, -1).mean(-1))


def _weigh(weights: Floats, values: Floats) -> Floats:
    """Multiply (..., S) weights with (R, S, K) values to (..., R, K), as one matrix product."""
    seeds, subjects, classes = values.shape
    flat = values.transpose(1, 0, 2).reshape(subjects, seeds * classes)
    return (weights @ flat).reshape(*weights.shape[:-1], seeds, classes)


def subject_scores(sums: Sums) -> Floats:
    """Compute one score per subject: the mean over its cases of a class, then over its classes, then over the seeds.

    Args:
        sums: The sums of one row.

    Returns:
        (S,), NaN for a subject without a score.
    """
    return mean_known(mean_known(_ratio(sums.total, sums.scored), 2), 0)


def bootstrap(rows: Sequence[Sums], resamples: int = RESAMPLES, seed: int = SEED) -> Floats:
    """Compute the `table_mean` of each row over subjects drawn with replacement, with the same draws for all rows.

    Args:
        rows: The sums of rows with the same S subjects in the same order.
        resamples: Number of bootstrap samples.
        seed: Seed of the draws; the same seed and S give the same draws in every call.

    Returns:
        (rows, resamples), NaN where a seed of a bootstrap sample has no score.
    """
    from scipy import stats

    subjects = rows[0].total.shape[1]

    def statistic(drawn: Any, axis: int) -> Floats:
        weights = _weights(np.asarray(drawn, dtype=np.int64))
        return np.stack([table_mean(row, weights) for row in rows])

    with warnings.catch_warnings():  # scipy warns of its own interval, which is not used, where a sample has no score
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


def _weights(drawn: NDArray[np.int64]) -> Floats:
    """Count how often each subject was drawn: (draws, S) numbers to (draws, S) counts."""
    draws, subjects = drawn.shape
    places = drawn + subjects * np.arange(draws)[:, None]
    return np.bincount(places.ravel(), minlength=drawn.size).reshape(drawn.shape).astype(float)


def interval(values: Floats) -> tuple[float, float]:
    """Return the percentile interval of bootstrapped values, which may be differences of two rows on the same draws."""
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(values, (tail, 1 - tail))
    return float(low), float(high)


def compare(mine: Floats, other: Floats, test: Test = "wilcoxon") -> Comparison:
    """Test the subject scores of two rows against each other, paired and two-sided.

    A row has no score of a subject in which it rightly finds nothing. If the other row has one, it is compared with the
    mean of the row without a score: to leave a value out of a mean has the same effect. A subject without any score is
    left out.

    Args:
        mine: (S,), the scores of one row.
        other: (S,), the scores of the other row on the same subjects.
        test: "wilcoxon": the signed-rank test with zeros by Pratt (1959), exact for up to 50 pairs without ties or
            zeros and for up to 13 pairs with them, else the corrected normal approximation. "permutation": the test of
            the mean difference by changes of sign, exact for up to 13 pairs, else with `RESAMPLES` seeded draws.
    """
    scored = ~(np.isnan(mine) & np.isnan(other))
    gaps = np.round(_filled(mine)[scored] - _filled(other)[scored], DIGITS)
    pairs = len(gaps)
    if not pairs or np.isnan(gaps).any():  # a row without any score has no mean to compare with
        return Comparison(0, None, None)
    effect = rank_biserial(gaps)
    if pairs < FEWEST:
        return Comparison(pairs, None, effect)
    return Comparison(pairs, _TESTS[test](gaps) if gaps.any() else 1.0, effect)


def _wilcoxon(gaps: Floats) -> float:
    return _wilcoxon_of(tuple(gaps.tolist()))


@lru_cache(maxsize=4096)  # an exact p value with ties takes 8,192 statistics, and several tables have the same pairs
def _wilcoxon_of(gaps: tuple[float, ...]) -> float:
    from scipy import stats

    return float(stats.wilcoxon(gaps, zero_method="pratt", correction=True, method="auto").pvalue)


def _permutation(gaps: Floats) -> float:
    from scipy import stats

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
    """Compute the matched-pairs rank-biserial correlation of Kerby (2014), (W+ - W-) / (W+ + W-).

    Zeros are ranked, but they count neither for W+ nor for W-.

    Args:
        gaps: The differences of one pair or more.
    """
    from scipy import stats

    signed = stats.rankdata(np.abs(gaps)) * np.sign(gaps)
    both = float(np.abs(signed).sum())
    return float(signed.sum()) / both if both else 0.0


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Correct p values by the step-down procedure of Holm (1979); None stays None and does not count."""
    known = [p for p in p_values if p is not None]
    values = np.array(known, dtype=float)
    order = np.argsort(values, kind="stable")
    # not by `statsmodels`, which collects the garbage of the whole process at each call
    values[order] = np.minimum(np.maximum.accumulate(values[order] * np.arange(len(values), 0, -1)), 1.0)
    corrected = iter(values.tolist())
    return [None if p is None else next(corrected) for p in p_values]


def win_rates(scores: Floats) -> Floats:
    """Compute how often each row beats each other row.

    Args:
        scores: (rows, S) subject scores.

    Returns:
        (rows, rows): the share of subjects, among those with a score in either row, on which the first row is better.
        A tie counts half, the diagonal is 0.5, and NaN stands for two rows without any such subject.
    """
    full = _filled(scores)
    gaps = np.round(full[:, None] - full[None], DIGITS)
    neither = np.isnan(scores)[:, None] & np.isnan(scores)[None]
    return mean_known(np.where(neither, np.nan, (np.sign(gaps) + 1) / 2), -1)


def mean_ranks(scores: Floats) -> Floats:
    """Compute the mean over subjects of the rank of each row; 1 is the best, and ties share their mean rank.

    Args:
        scores: (rows, S) subject scores; a subject without any score is left out.

    Returns:
        (rows,).
    """
    from scipy import stats

    full = _filled(scores)[:, ~np.isnan(scores).all(axis=0)]
    if not full.shape[1] or np.isnan(full).any():
        return np.full(len(scores), np.nan)
    return np.asarray(stats.rankdata(-np.round(full, DIGITS), axis=0).mean(axis=1))


def rank_stability(printed: Floats, draws: Floats) -> tuple[Floats, float]:
    """Compute how much the ranking depends on the subjects of the test.

    Args:
        printed: (rows,), the scores that give the ranking.
        draws: (rows, resamples), the same scores under the bootstrap.

    Returns:
        The share of bootstrap samples in which each row has its rank; and the mean of Kendall's tau (b) between the
        ranking and the rankings of the first 1,000 samples, NaN for a single row.
    """
    from scipy import stats

    complete = np.round(draws[:, ~np.isnan(draws).any(axis=0)], DIGITS)
    if not complete.shape[1]:
        return np.full(len(printed), np.nan), float("nan")
    own = stats.rankdata(-np.round(printed, DIGITS), method="min")
    ranks = stats.rankdata(-complete, method="min", axis=0)
    share = np.asarray((ranks == own[:, None]).mean(axis=1))
    orders, times = np.unique(ranks[:, :_ORDERS], axis=1, return_counts=True)
    if len(own) < 2 or len(set(own)) < 2:
        return share, float("nan")
    taus = [stats.kendalltau(own, order).statistic if len(set(order)) > 1 else 0.0 for order in orders.T]
    return share, float(np.average(taus, weights=times))


def mean_known(values: Floats, axis: int) -> Floats:
    """Return the mean of the values that are not NaN; NaN, without a warning, where all are."""
    known = ~np.isnan(values)
    return _ratio(np.where(known, values, 0.0).sum(axis), known.sum(axis).astype(float))


def _ratio(total: Floats, count: Floats) -> Floats:
    found: Floats = np.divide(total, count, out=np.full(np.shape(total), np.nan), where=np.asarray(count) > 0)
    return found


def _filled(scores: Floats) -> Floats:
    """Return (..., S) scores, with the mean of a row where the row has no score of a subject."""
    return np.where(np.isnan(scores), mean_known(scores, -1)[..., None], scores)
