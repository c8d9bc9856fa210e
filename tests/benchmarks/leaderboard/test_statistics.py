"""Every statistic agrees with another computation: enumeration, statsmodels, scipy or a published example."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats as scipy_stats
from statsmodels.stats.multitest import multipletests

from benchmarks.leaderboard import statistics
from benchmarks.leaderboard.statistics import Floats, Sums
from benchmarks.leaderboard.subjects import make_sample
from benchmarks.storage.results import TestScores
from tests.helpers.sample_rows import absent, row
from zoo.metrics.case_scores import CaseScore
from zoo.metrics.summary import summarise

DARWIN = np.array([49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48], dtype=float)
"""Fifteen pairs of maize, crossed minus self-fertilised, in eighths of an inch (Darwin 1876, after Fisher 1935)."""


@pytest.fixture(autouse=True)
def no_warnings() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def one_class(values: list[float]) -> Sums:
    """Return the sums of one seed and class with one case per subject."""
    return statistics.sum_subjects(np.array(values)[None, :, None], np.arange(len(values)), len(values))


def some_rows(rng: np.random.Generator, cases: int = 12, name: str = "c") -> list[CaseScore]:
    """Return rows of two classes; some objects are absent, missed or spurious."""
    rows = []
    for case, (index, label) in itertools.product(range(cases), enumerate(("liver", "spleen"), start=1)):
        status = str(rng.choice(["ok", "ok", "ok", "absent", "missed", "spurious"]))
        dice = float(rng.integers(1, 999)) / 1000
        made = row(f"{name}{case}", label, dice if status == "ok" else 0.0, status="ok" if status == "ok" else "missed")
        if status == "spurious":
            made = row(f"{name}{case}", label, 0.0, status="spurious")
        if status == "absent":
            made = absent(f"{name}{case}", label)
        rows.append(_indexed(made, index))
    return rows


def _indexed(one: CaseScore, index: int) -> CaseScore:
    return replace(one, index=index)


def _renamed(one: CaseScore, name: str) -> CaseScore:
    return replace(one, case_id=name)


@pytest.mark.parametrize("seed", range(5))
def test_the_bootstrapped_statistic_is_the_printed_dice_of_the_drawn_cases(seed: int) -> None:
    """`summarise` gets each row as often as it was drawn; there are four subjects with three cases each."""
    rng = np.random.default_rng(seed)
    tests = [some_rows(rng), some_rows(rng)]
    owners = {("d", f"c{case}"): f"s{case % 4}" for case in range(12)}
    sample = make_sample([TestScores(tuple(rows)) for rows in tests], "d", owners)
    assert sample.subjects == ("s0", "s1", "s2", "s3")
    for weights in ([1, 1, 1, 1], [2, 0, 1, 1], [0, 0, 3, 1]):
        drawn = [
            [
                _renamed(one, f"{one.case_id}-{copy}")
                for one in rows
                for copy in range(weights[int(one.case_id[1:]) % 4])
            ]
            for rows in tests
        ]
        expected = [summarise(rows).dice for rows in drawn]
        found = statistics.table_mean(sample.sums("dice"), np.array(weights, dtype=float))
        assert float(found) == pytest.approx(np.mean([value or 0.0 for value in expected]), abs=1e-12)


def test_the_score_of_a_subject_by_hand() -> None:
    """There are two seeds, two subjects with two cases and one case, and two classes; one class is sometimes absent."""
    nan = float("nan")
    values = np.array([[[0.8, 0.4], [0.6, nan], [nan, 0.5]], [[1.0, 0.2], [0.8, nan], [nan, nan]]])
    sums = statistics.sum_subjects(values, np.array([0, 0, 1]), 2)
    first = ((0.7 + 0.4) / 2 + (0.9 + 0.2) / 2) / 2  # cases, then classes, then seeds
    assert statistics.subject_scores(sums) == pytest.approx([first, 0.5])
    assert np.isnan(statistics.subject_scores(statistics.sum_subjects(values[1:], np.array([0, 0, 1]), 2))[1])


def test_with_one_case_per_subject_the_mean_of_subject_scores_is_the_printed_dice() -> None:
    rng = np.random.default_rng(0)
    sums = statistics.sum_subjects(rng.random((3, 9, 4)), np.arange(9), 9)
    assert statistics.subject_scores(sums).mean() == pytest.approx(
        float(statistics.table_mean(sums, np.ones(9))), abs=1e-12
    )


def test_the_interval_of_a_plain_mean_is_that_of_scipy() -> None:
    values = np.random.default_rng(1).beta(8, 2, 30)
    draws = statistics.bootstrap([one_class(values.tolist())], resamples=999, seed=5)
    expected = scipy_stats.bootstrap(
        (values,), np.mean, n_resamples=999, method="percentile", rng=np.random.default_rng(5)
    ).confidence_interval
    assert statistics.interval(draws[0]) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_the_bootstrap_of_three_subjects_has_the_exact_distribution() -> None:
    values = [0.0, 0.3, 0.9]
    exact = np.sort([np.mean(drawn) for drawn in itertools.product(values, repeat=3)])
    draws = statistics.bootstrap([one_class(values)])[0]
    assert np.allclose(np.unique(draws.round(9)), np.unique(exact.round(9)))
    for value in np.unique(exact.round(9)):
        assert np.isclose(draws, value).mean() == pytest.approx(np.isclose(exact, value).mean(), abs=0.02)


def test_all_rows_have_the_same_draws_in_one_call_and_in_several_calls() -> None:
    values = np.random.default_rng(2).random(20).round(3).tolist()
    higher = [value + 0.25 for value in values]
    together = statistics.bootstrap([one_class(values), one_class(higher)])
    assert np.allclose(together[1] - together[0], 0.25)
    assert np.array_equal(statistics.bootstrap([one_class(higher)])[0], together[1])
    assert statistics.interval(together[1] - together[0]) == pytest.approx((0.25, 0.25))


def test_subjects_and_not_images_are_resampled() -> None:
    """Each of six subjects has ten equal images: the interval is that of six values and not of sixty."""
    each = np.array([0.1, 0.5, 0.6, 0.7, 0.9, 0.3])
    images = np.repeat(each, 10)[None, :, None]
    clustered = statistics.bootstrap([statistics.sum_subjects(images, np.repeat(np.arange(6), 10), 6)])
    assert np.allclose(clustered, statistics.bootstrap([one_class(each.tolist())]))
    loose = statistics.interval(statistics.bootstrap([one_class(np.repeat(each, 10).tolist())])[0])
    tight = statistics.interval(clustered[0])
    assert loose[1] - loose[0] < (tight[1] - tight[0]) / 2


def brute_force(gaps: Floats, statistic: str) -> float:
    """Return the two-sided p value over all changes of sign; zeros are ranked (Pratt)."""
    ranks = scipy_stats.rankdata(np.abs(gaps))

    def of(signed: Floats) -> float:
        return float((ranks * (signed > 0)).sum() if statistic == "wilcoxon" else signed.mean())

    seen = of(gaps)
    null = np.array([of(np.abs(gaps) * signs) for signs in itertools.product((-1.0, 1.0), repeat=len(gaps))])
    tails = (null >= seen - 1e-12).mean(), (null <= seen + 1e-12).mean()
    return float(min(1.0, 2 * min(tails)))


@pytest.mark.parametrize("test", ["wilcoxon", "permutation"])
@pytest.mark.parametrize(
    "gaps",
    [
        [0.1, 0.2, -0.3, 0.4, 0.5, 0.6, -0.7],
        [0.1, 0.1, -0.1, 0.2, 0.2, 0.5, 0.6],  # ties
        [0.0, 0.0, 0.1, -0.2, 0.3, 0.4, 0.5, 0.6],  # zeros
        [0.0, 0.1, 0.1, 0.1, -0.1, 0.3, 0.4, 0.5, 0.5],
    ],
)
def test_small_tests_are_exact(gaps: list[float], test: statistics.Test) -> None:
    mine = np.array(gaps) + 0.5
    found = statistics.compare(mine, np.full(len(gaps), 0.5), test)
    assert found.p == pytest.approx(brute_force(np.array(gaps), test), abs=1e-9)
    assert found.pairs == len(gaps)


def test_zeros_are_ranked_with_the_others_and_then_dropped() -> None:
    """Three zeros and eight differences, of which the second and third smallest are negative.

    Pratt (1959): the differences have the ranks 4 to 11, W- = 5 + 6 = 11, and 13 of the 256 subsets of these
    ranks have a sum of at most 11. Without the zeros (Wilcoxon 1945) W- = 2 + 3 = 5, and 10 subsets have at most 5.
    """
    gaps = np.array([0.0, 0.0, 0.0, 0.1, -0.2, -0.3, 0.4, 0.5, 0.6, 0.7, 0.8])
    assert statistics.compare(gaps, np.zeros(11)).p == pytest.approx(2 * 13 / 256)


def test_the_signed_rank_test_of_darwins_maize() -> None:
    """W- = 24 and W+ = 96 of 15 pairs: p = 0.0413 (Hollander and Wolfe's tables, R's wilcox.test)."""
    found = statistics.compare(DARWIN, np.zeros(15))
    assert found.p == pytest.approx(0.041259765625)
    assert found.effect == pytest.approx((96 - 24) / 120)


def test_many_pairs_agree_with_the_normal_approximation_by_hand() -> None:
    gaps = np.random.default_rng(3).normal(0.01, 0.1, 200)
    ranks = scipy_stats.rankdata(np.abs(gaps))
    plus, n = ranks[gaps > 0].sum(), len(gaps)
    z = (abs(plus - n * (n + 1) / 4) - 0.5) / np.sqrt(n * (n + 1) * (2 * n + 1) / 24)
    assert statistics.compare(gaps, np.zeros(200)).p == pytest.approx(2 * scipy_stats.norm.sf(z), rel=1e-9)
    permuted = statistics.compare(gaps, np.zeros(200), "permutation").p
    t_test = float(scipy_stats.ttest_1samp(gaps, 0.0).pvalue)
    assert permuted == pytest.approx(t_test, abs=0.02)  # 9,999 draws
    assert permuted == statistics.compare(gaps, np.zeros(200), "permutation").p


def test_the_rank_biserial_correlation_of_a_worked_example() -> None:
    """Ten pairs of blood pressure, of which one is equal: (27 - 18) / 45 = 0.20 (after Kerby 2014)."""
    before = np.array([125, 115, 130, 140, 115, 140, 125, 140, 135], dtype=float)
    after = np.array([110, 122, 125, 120, 124, 123, 137, 135, 145], dtype=float)
    assert statistics.rank_biserial(before - after) == pytest.approx(0.20)
    assert statistics.rank_biserial(np.zeros(4)) == 0.0
    assert statistics.rank_biserial(np.array([0.0, 0.1, 0.2])) == 1.0


@pytest.mark.parametrize("test", ["wilcoxon", "permutation"])
def test_identical_models_have_p_1_and_too_few_subjects_none(test: statistics.Test) -> None:
    same = np.array([0.5, 0.6, 0.7, 0.8, 0.9, 0.4, 0.3])
    assert statistics.compare(same, same.copy(), test) == (7, 1.0, 0.0)
    assert statistics.compare(same, same + 1e-16, test).p == 1.0  # rounding is no difference
    assert statistics.compare(same[:5] + 0.1, same[:5], test) == (5, None, 1.0)
    nothing = np.full(7, np.nan)
    assert statistics.compare(same, nothing, test) == (0, None, None)
    assert statistics.compare(nothing, nothing, test) == (0, None, None)


def test_a_row_without_a_score_of_a_subject_is_compared_by_its_mean() -> None:
    """The second row has a false positive in the last two subjects; the eighth subject has no score in both rows."""
    nan = float("nan")
    mine = np.array([0.5, 0.6, 0.7, 0.5, 0.6, nan, nan, nan])
    other = np.array([0.5, 0.6, 0.7, 0.5, 0.6, 0.0, 0.0, nan])
    found = statistics.compare(mine, other)
    filled = np.array([0.5, 0.6, 0.7, 0.5, 0.6, 0.58, 0.58])
    assert found == statistics.compare(filled, np.array([*other[:5], 0.0, 0.0]))
    assert found.pairs == 7
    assert found.effect == 1.0


def test_holm_agrees_with_the_definition_and_with_statsmodels() -> None:
    """The p values 0.005, 0.01, 0.03, 0.04 are multiplied by 4, 3, 2, 1 and made monotone."""
    assert statistics.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert statistics.holm([0.04, None, 0.03]) == [pytest.approx(0.06), None, pytest.approx(0.06)]
    assert statistics.holm([None, None]) == [None, None]
    assert statistics.holm([]) == []
    p_values = np.random.default_rng(4).random(7).tolist()
    order = np.argsort(p_values)
    by_hand = np.empty(7)
    by_hand[order] = np.minimum(1, np.maximum.accumulate([(7 - i) * p_values[j] for i, j in enumerate(order)]))
    assert statistics.holm(p_values) == pytest.approx(by_hand.tolist())
    assert statistics.holm(p_values) == pytest.approx(multipletests(p_values, method="holm")[1].tolist())


def test_win_rates_and_mean_ranks_by_hand() -> None:
    scores = np.array([[0.9, 0.8, 0.5, 0.5], [0.8, 0.9, 0.5, 0.4], [0.1, 0.1, 0.5, 0.3]])
    assert statistics.win_rates(scores)[0] == pytest.approx([0.5, 2.5 / 4, 3.5 / 4])
    assert statistics.win_rates(scores) + statistics.win_rates(scores).T == pytest.approx(np.ones((3, 3)))
    assert statistics.mean_ranks(scores) == pytest.approx(
        [(1 + 2 + 2 + 1) / 4, (2 + 1 + 2 + 2) / 4, (3 + 3 + 2 + 3) / 4]
    )
    expected = np.mean([scipy_stats.rankdata(-column) for column in scores.T], axis=0)
    assert statistics.mean_ranks(scores) == pytest.approx(expected)


def test_absent_subjects_in_win_rates_and_ranks() -> None:
    nan = float("nan")
    scores = np.array([[0.9, 0.7, nan, nan], [0.8, 0.6, 0.0, nan]])
    assert statistics.win_rates(scores)[0, 1] == 1.0  # includes the third subject; the fourth has no score
    assert statistics.mean_ranks(scores) == pytest.approx([1.0, 2.0])
    assert np.isnan(statistics.mean_ranks(np.full((2, 3), nan))).all()
    assert np.isnan(statistics.win_rates(np.full((2, 3), nan))).all()


def test_rank_stability_of_two_rows_is_the_share_in_their_order() -> None:
    draws = np.array([[0.9, 0.9, 0.9, 0.1], [0.5, 0.5, 0.5, 0.5]])
    share, tau = statistics.rank_stability(np.array([0.9, 0.5]), draws)
    assert share.tolist() == [0.75, 0.75]
    assert tau == pytest.approx(0.5)  # three times 1 and once -1


def test_rank_stability_by_hand() -> None:
    """Of four samples of three rows, two keep the order, one swaps the first two rows, one reverses all rows."""
    draws = np.array([[0.9, 0.9, 0.7, 0.1], [0.8, 0.8, 0.8, 0.2], [0.1, 0.1, 0.1, 0.3]])
    share, tau = statistics.rank_stability(np.array([0.9, 0.8, 0.1]), draws)
    assert share == pytest.approx([0.5, 0.75, 0.75])
    assert tau == pytest.approx((1 + 1 + 1 / 3 - 1) / 4)
    share, tau = statistics.rank_stability(np.array([0.9]), draws[:1])
    assert share == pytest.approx([1.0])
    assert np.isnan(tau)
    share, tau = statistics.rank_stability(np.array([0.5, 0.5]), np.full((2, 10), 0.5))  # equal scores
    assert share == pytest.approx([1.0, 1.0])
    assert np.isnan(tau)


def test_a_resample_without_an_object_makes_no_interval() -> None:
    nan = float("nan")
    draws = statistics.bootstrap([one_class([0.5, nan, nan, nan, nan, nan])])
    assert np.isnan(draws).any()
    share, _ = statistics.rank_stability(np.array([0.5]), draws)
    assert share == pytest.approx([1.0])


def test_the_bootstrap_and_the_order_use_as_many_samples_as_the_page_says() -> None:
    assert statistics.bootstrap([one_class([0.1, 0.5, 0.9])]).shape == (1, 9999)
    assert (statistics.RESAMPLES, statistics._ORDERS, statistics.DIGITS) == (9999, 1000, 12)


def test_six_pairs_have_a_p_value_and_five_have_none() -> None:
    higher = np.arange(1.0, 7.0)
    assert statistics.compare(higher, np.zeros(6)).p == pytest.approx(2 / 2**6)
    assert statistics.compare(higher[:5], np.zeros(5)).p is None


def test_a_subject_with_a_score_in_one_row_counts_in_the_win_rate() -> None:
    """The row without a score has its mean there: 0.5, which is below 0.9."""
    scores = np.array([[0.4, 0.6, np.nan], [0.3, 0.7, 0.9]])
    rates = statistics.win_rates(scores)
    assert rates[0].tolist() == pytest.approx([0.5, 1 / 3])
    assert rates[1].tolist() == pytest.approx([2 / 3, 0.5])


def test_resamples_at_once_have_the_means_of_each_alone_where_a_seed_lacks_a_class() -> None:
    nan = float("nan")
    values = np.array([[[0.8, nan], [0.6, nan]], [[1.0, 0.2], [0.5, 0.4]]])  # two seeds, two subjects, two classes
    sums = statistics.sum_subjects(values, np.arange(2), 2)
    weights = np.array([[1.0, 1.0], [2.0, 0.0], [0.0, 2.0]])
    by_hand = [(0.7 + (0.75 + 0.3) / 2) / 2, (0.8 + (1.0 + 0.2) / 2) / 2, (0.6 + (0.5 + 0.4) / 2) / 2]
    assert statistics.table_mean(sums, weights) == pytest.approx(by_hand)


def test_a_resample_in_which_all_rows_are_equal_agrees_with_no_ranking() -> None:
    draws = np.array([[0.9, 0.5], [0.5, 0.5]])
    _, tau = statistics.rank_stability(np.array([0.9, 0.5]), draws)
    assert tau == pytest.approx((1 + 0) / 2)
