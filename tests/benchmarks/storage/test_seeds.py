"""The result of one seed: its conditions, its folds pooled, and cases with several queries."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks.storage.results import JobResult, TestScores
from benchmarks.storage.seeds import group_by_seed, make_seed_result, seed_differences
from tests.helpers.sample_benchmark import job, result
from tests.helpers.sample_rows import row
from zoo.errors import RunError


def queried(*queries: str, fold: int | None = None) -> JobResult:
    """Return the result of a job on one image with these queries."""
    rows = tuple(replace(row("scan", "lesion", 0.5), query=query) for query in queries)
    one = job(fold=fold, folds=None if fold is None else 2)
    return replace(result(one, [0.5]), tests={"test": TestScores(rows)})


def test_each_query_of_an_image_counts_as_a_case() -> None:
    assert make_seed_result([queried("left", "right")]).conditions["n"] == 2


def test_two_folds_may_test_different_queries_of_one_image() -> None:
    pooled = make_seed_result([queried("left", fold=0), queried("right", fold=1)])
    assert pooled.conditions["n"] == 2
    assert [one.query for one in pooled.tests["test"].rows] == ["left", "right"]


def test_two_folds_that_test_the_same_query_are_refused() -> None:
    with pytest.raises(RunError, match="two folds test the same case"):
        make_seed_result([queried("left", fold=0), queried("left", fold=1)])


def test_results_are_grouped_by_seed_and_sorted_by_fold() -> None:
    jobs = [job(seed=seed, fold=fold) for seed, fold in ((1, 0), (0, 1), (0, 0))]
    found = group_by_seed([result(one, [0.5]) for one in jobs])
    assert {seed: [one.job.fold for one in results] for seed, results in found.items()} == {0: [0, 1], 1: [0]}
    assert list(found) == [0, 1]


def test_a_label_space_that_one_seed_has_not_recorded_is_no_difference() -> None:
    seeds = [make_seed_result([result(job(), [0.5], about=about)]) for about in ({}, {"label_space_hash": "a"})]
    assert seed_differences(seeds) == []
    other = make_seed_result([result(job(), [0.5], about={"label_space_hash": "b"})])
    assert seed_differences([*seeds, other]) == ["label_space"]
