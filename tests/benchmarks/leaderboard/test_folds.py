"""Folds in a table: pooled scores, missing folds, and folds that do not fit together."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from benchmarks.leaderboard.leaderboard import FOLDS
from benchmarks.plan.job import Job
from benchmarks.report.sentences import write_lead
from benchmarks.storage.results import JobResult, TestScores
from benchmarks.tables.conventions import find_convention, rescore_row
from benchmarks.tables.writers import FORMATS, to_markdown
from tests.helpers.comparable_results import TEN, full, one
from tests.helpers.sample_benchmark import leaderboard_of
from tests.helpers.sample_rows import row


def fold(seed: int, number: int, cases: range, state: str = "done", **about: Any) -> JobResult:
    found = full("a", seed)
    jobs = Job("a", "hippocampus", seed, settings=found.job.settings, fold=number, folds=about.pop("folds", 2))
    if state != "done":
        return JobResult(jobs, state)
    rows = tuple(row(f"c{i}", "x", TEN[i]) for i in cases)
    tests = {"test": TestScores(rows, {"label_space_hash": "labels", **about})}
    return JobResult(jobs, "done", manifest=dict(found.manifest) | {"split_hash": f"fold {number}"}, tests=tests)


def test_folds_are_pooled_each_case_once() -> None:
    halves = [fold(0, 0, range(5)), fold(0, 1, range(5, 10))]
    table = leaderboard_of(halves, [])
    (only,) = table.groups[0].ranked
    (whole,) = one(full("a")).ranked
    assert (only.n, only.folds, only.seeds, only.cases_hash) == (10, 2, 1, whole.cases_hash)
    assert only.dice == pytest.approx(whole.dice)
    assert (only.dice_low, only.dice_high) == (whole.dice_low, whole.dice_high)
    assert FOLDS in table.footnotes
    assert "| 1 x 2 folds |" in to_markdown(table)


def test_a_row_with_a_missing_fold_has_no_mean() -> None:
    (row_,) = one(fold(0, 0, range(5)), fold(0, 1, range(5, 10), "failed")).unranked
    assert (row_.status, row_.dice, row_.reason) == ("failed", None, "0 of 1 seeds: seed 0 fold 1 failed")
    (row_,) = one(*[fold(s, n, range(5 * n, 5 * n + 5)) for s, n in [(0, 0), (0, 1), (1, 0)]]).unranked
    assert (row_.status, row_.dice) == ("refused", None)
    assert row_.reason == "the seeds differ in their folds (seed 0: all folds, seed 1: fold 0 of 2)"


def test_a_row_over_a_part_of_the_folds_has_its_pooled_scores_and_no_rank() -> None:
    halves = [fold(seed, n, range(5 * n, 5 * n + 5), folds=3) for seed in (0, 1) for n in (0, 1)]
    group = one(*halves)
    (row_,) = group.unranked
    assert not group.ranked
    assert (row_.status, row_.n, row_.folds, row_.seeds) == ("incomplete", 10, 2, 2)
    assert row_.dice == pytest.approx(sum(TEN) / 10)
    assert row_.reason == "not ranked: pooled over the folds 0, 1 of 3, counted from 0"
    text = to_markdown(leaderboard_of(halves, []))
    assert "| 0.725 ± 0.000 |" in text
    assert f"- a (tiny): {row_.reason}" in text
    assert write_lead(group).endswith(f"a (tiny): Dice 0.725, {row_.reason}.")
    found = find_convention("iou-per-image")
    assert rescore_row(found, row_).reason == row_.reason


def test_folds_are_complete_up_to_the_last_where_their_number_is_not_recorded() -> None:
    """The number of folds is in no file of an older benchmark."""
    whole = [fold(0, n, range(5 * n, 5 * n + 5), folds=None) for n in (0, 1)]
    (row_,) = one(*whole).ranked
    assert (row_.n, row_.folds) == (10, 2)
    (row_,) = one(fold(0, 1, range(5), folds=None)).unranked
    assert row_.reason == "not ranked: pooled over the fold 1 of 2, counted from 0"


def test_folds_that_overlap_or_differ_are_refused() -> None:
    (row_,) = one(fold(0, 0, range(6)), fold(0, 1, range(5, 10))).unranked
    assert row_.reason == "two folds test the same case"
    (row_,) = one(fold(0, 0, range(5)), fold(0, 1, range(5, 10), label_space_hash="other")).unranked
    assert row_.reason == "the folds differ in label_space"


def test_rows_over_folds_and_over_one_split_are_not_ranked_together() -> None:
    group = one(full("b"), full("c"), fold(0, 0, range(5)), fold(0, 1, range(5, 10)))
    assert [r.model for r in group.ranked] == ["b", "c"]
    assert "split_hash" in group.unranked[0].reason


def test_the_order_of_refused_and_pooled_rows_changes_no_table() -> None:
    rows = [full("b"), full("c", about={}), fold(0, 0, range(5)), fold(0, 1, range(5, 10)), full("d", split_hash="z")]
    seen: dict[str, set[str]] = {form: set() for form in FORMATS}
    for order in itertools.islice(itertools.permutations(rows), 0, None, 41):
        table = leaderboard_of(order, [])
        for form, write in FORMATS.items():
            seen[form].add(write(table, True, form != "csv"))
    assert {form: len(texts) for form, texts in seen.items()} == dict.fromkeys(FORMATS, 1)


def test_the_reason_of_a_part_names_its_folds_and_their_number() -> None:
    three = [range(3), range(3, 6), range(6, 10)]
    (row_,) = one(fold(0, 0, three[0], folds=None), fold(0, 2, three[2], folds=None)).unranked
    assert row_.reason == "not ranked: pooled over the folds 0, 2 of 3, counted from 0"
    (row_,) = one(*(fold(0, n, cases, folds=None) for n, cases in enumerate(three))).ranked
    assert row_.folds == 3
    (row_,) = one(*(fold(0, n, cases, folds=5) for n, cases in enumerate(three))).unranked
    assert row_.reason == "not ranked: pooled over the folds 0, 1, 2 of 5, counted from 0"
