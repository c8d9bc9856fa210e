"""The comparability check: what may be in one row and in one ranking, the reasons of refusals, and the warnings."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from benchmarks.leaderboard.comparability import _SHOWN, _most_frequent, _shorten, check_control
from benchmarks.leaderboard.row import LeaderboardRow
from benchmarks.plan.job import Settings
from benchmarks.storage.results import Control, JobResult, TestScores
from benchmarks.tables.writers import to_csv, to_markdown
from tests.helpers.comparable_results import FACTS, full, one
from tests.helpers.sample_benchmark import leaderboard_of
from tests.helpers.sample_rows import absent, row
from zoo.metrics.case_scores import CaseScore, cases_hash
from zoo.utils.format import list_some


def scored(found: JobResult, *rows: Any, **about: Any) -> JobResult:
    """Return the same result with other rows."""
    return replace(found, tests={"test": TestScores(rows or found.tests["test"].rows, {**FACTS, **about})})


def test_complete_rows_of_the_same_conditions_have_no_warning() -> None:
    group = one(full("a"), full("b"))
    assert (len(group.ranked), group.unranked, group.warnings) == (2, (), ())
    assert "Warnings" not in to_markdown(leaderboard_of([full("a"), full("b")], []))


@pytest.mark.parametrize(
    ("about", "reason"),
    [
        ({"label_space_hash": "other"}, "label_space other, not labels"),
        ({"tolerance": 30.0}, "tolerance 30.0, not 2.0"),
    ],
)
def test_other_label_spaces_are_refused(about: dict[str, Any], reason: str) -> None:
    group = one(full("a"), full("b"), full("c", about=FACTS | about))
    assert [r.model for r in group.ranked] == ["a", "b"]
    assert reason in group.unranked[0].reason


def _with_true_voxels(rows: tuple[CaseScore, ...]) -> tuple[CaseScore, ...]:
    """Return the rows of another label of the first case, with the same Dice."""
    return (replace(rows[0], tp=2 * rows[0].tp, fp=2 * rows[0].fp, fn=2 * rows[0].fn), *rows[1:])


def test_scores_against_other_labels_are_refused() -> None:
    rows = _with_true_voxels(full("c").tests["test"].rows)
    found = one(full("a"), full("b"), scored(full("c"), *rows))
    assert [r.model for r in found.ranked] == ["a", "b"]
    assert found.unranked[0].reason.startswith("not comparable: label_hash ")
    (seeds,) = one(full("a"), scored(full("a", 1), *rows)).unranked
    assert seeds.reason == "the seeds differ in label_hash"
    reader = full("a", track="class")
    mixed = replace(reader, tests={**reader.tests, "test-blank": TestScores(rows, FACTS)})
    assert one(mixed).unranked[0].reason == "seed 0: its tests have different labels; run `zoo test` again"


@pytest.mark.parametrize(("key", "values"), [("spacing", ({"c0": [1.0, 1.0]}, {"c0": [1.0, 2.0]}))])
def test_rows_with_other_voxel_sizes_are_refused(key: str, values: tuple[Any, Any]) -> None:
    first, other = ({**FACTS, key: value} for value in values)
    found = one(full("a", about=first), full("b", about=first), full("c", about=other), full("d"))
    assert [r.model for r in found.ranked] == ["a", "b", "d"], "a run that has not recorded it is compared without it"
    assert found.unranked[0].reason.startswith("not comparable: spacing_hash ")


def test_rows_of_other_files_of_own_data_are_refused() -> None:
    found = one(full("a", data_hash="files"), full("b", data_hash="files"), full("c", data_hash="other"))
    assert found.unranked[0].reason == "not comparable: data_hash other, not files"


@pytest.mark.parametrize(("key", "values"), [("precision", ("32-true", "bf16-mixed")), ("device", ("cpu", "cuda"))])
def test_tests_of_two_precisions_or_devices_are_ranked_with_a_warning(key: str, values: tuple[str, str]) -> None:
    runs = [full(model, about=FACTS | {key: value}) for model, value in zip("abc", (*values, ""), strict=True)]
    found = one(*runs)
    assert [getattr(r, key) for r in found.ranked] == [*values, ""]
    expected = f"{values[0]} [a (tiny)], {values[1]} [b (tiny)]"
    assert found.warnings == (f"the tests differ in {key}, which moves scores a little: {expected}",)
    two = one(full("a", 0, about=FACTS | {key: values[0]}), full("a", 1, about=FACTS | {key: values[1]}))
    assert getattr(two.ranked[0], key) == " and ".join(values)


def test_of_two_equally_frequent_metric_versions_the_older_is_refused() -> None:
    group = one(full("a", metric_version="0"), full("b"))
    assert [r.model for r in group.ranked] == ["b"]
    assert "metric_version 0, not 1" in group.unranked[0].reason
    most = one(full("a", metric_version="0"), full("b"), full("c", metric_version="0"))
    assert [r.model for r in most.ranked] == ["a", "c"], "the most frequent version counts"


def test_other_cases_of_the_same_number_and_other_classes_are_refused() -> None:
    others = scored(full("c"), *[row(f"d{i}", "x", 0.9) for i in range(10)])
    classes = scored(full("d"), *[row(f"c{i}", "y", 0.9) for i in range(10)])
    group = one(full("a"), full("b"), others, classes)
    reasons = {r.model: r.reason for r in group.unranked}
    assert reasons["c"].startswith("not comparable: cases_hash ")
    assert reasons["d"] == "not comparable: classes y, not x"
    assert f"- c (tiny): {reasons['c']}" in to_markdown(leaderboard_of([full("a"), full("b"), others], []))


def test_a_run_of_an_older_version_is_ranked_with_a_warning_and_takes_the_subjects_of_others() -> None:
    group = one(full("a"), full("b", about={}))
    assert [r.model for r in group.ranked] == ["a", "b"]
    assert group.warnings == (
        "the run has not recorded its label space: only the names of the classes are compared [b (tiny)]",
    )
    alone = one(full("b", about={}))
    assert any("each case counts as a subject of its own [b (tiny)]" in text for text in alone.warnings)
    assert {r.subjects for r in (*group.ranked, *alone.ranked)} == {10}


def test_several_images_of_one_subject_count_as_one_subject() -> None:
    pairs = FACTS | {"subjects": {f"c{i}": f"p{i // 2}" for i in range(10)}}
    (only,) = one(full("a", about=pairs)).ranked
    assert (only.n, only.subjects, only.dice_low) == (10, 5, None)


def test_a_split_of_too_few_subjects_has_a_warning_and_no_p_value() -> None:
    group = one(full("a", dices=[0.9] * 5), full("b", dices=[0.5] * 5))
    assert [text for text in group.warnings if "fewer than 6 subjects" in text]
    (best, other) = group.ranking.rows
    assert (other.p, other.p_holm, other.dice_low, other.rank_share, other.pairs) == (None, None, None, None, 5)
    assert other.effect == -1.0
    assert best.rank == 1
    table = leaderboard_of([full("a", dices=[0.9] * 5), full("b", dices=[0.5] * 5)], [])
    assert "5 subjects: too few for an interval or a test (6 are needed)." in to_markdown(table, stats=True)


def test_other_class_prompts_are_ranked_and_marked() -> None:
    rows = [full("a", track="class"), full("b", track="class"), full("c", track="class", prompt_hash="other")]
    group = one(*rows, full("unet", prompt_hash="whatever"))
    assert [r.label for r in group.ranked] == ["a (tiny)", "b (tiny)", "c (tiny) [prompts]", "unet (tiny)"]
    assert group.warnings == ("other class prompts than the other rows [c (tiny) [prompts]]",)


def test_a_row_with_other_reports_is_refused() -> None:
    rows = [full("a", track="report"), full("b", track="report"), full("c", track="report", prompt_hash="other")]
    group = one(*rows)
    assert [r.model for r in group.unranked] == ["c"]
    assert group.unranked[0].reason == "not comparable: prompt_hash other, not def"


def test_equal_budget_and_published_recipes_are_two_rankings() -> None:
    def published(model: str, samples: int) -> JobResult:
        found = full(model, budget={"samples": samples, "batch_size": 4})
        settings = Settings(size="tiny", trainer="cpu", recipe="published")
        return replace(found, job=replace(found.job, settings=settings))

    table = leaderboard_of([full("a"), full("b"), published("a", 700), published("b", 900)], [])
    assert [(group.recipe, [r.model for r in group.ranked]) for group in table.groups] == [
        ("equal", ["a", "b"]),
        ("published", ["a", "b"]),
    ]
    text = to_markdown(table)
    assert "### hippocampus, text track: none, published recipes" in text
    assert "- each model has the budget of its own published recipe" in text
    assert len(list(csv.DictReader(io.StringIO(to_csv(table))))) == 4


def test_rows_that_contradict_their_about_json_are_refused() -> None:
    (row_,) = one(scored(full("a"), cases_hash="other")).unranked
    assert "contradict its about.json" in row_.reason
    honest = scored(full("a"), cases_hash=cases_hash(full("a").tests["test"].rows))
    assert one(honest).ranked
    (row_,) = one(scored(full("a"), text="blank")).unranked
    assert row_.reason == "seed 0: the rows of test were scored with the text 'blank'"
    reader = full("a", track="class")
    short = TestScores(reader.tests["test"].rows[:4], FACTS)
    (row_,) = one(replace(reader, tests={**reader.tests, "test-blank": short})).unranked
    assert row_.reason == "seed 0: its tests have different cases"


def _with_pixels(rows: tuple[CaseScore, ...]) -> tuple[CaseScore, ...]:
    return (replace(rows[0], unit="px"), *rows[1:])


def _with_two_classes(rows: tuple[CaseScore, ...]) -> tuple[CaseScore, ...]:
    return (*rows, replace(rows[0], label="y", index=2))


def _with_other_class(rows: tuple[CaseScore, ...]) -> tuple[CaseScore, ...]:
    return tuple(replace(one, label="y") for one in rows)


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (_with_pixels, "seed 0: test-blank: Distances in mm and in px have no mean: 10 rows mix them."),
        (_with_two_classes, "seed 0: test-blank: 9 of 10 cases have no score of 'y', the first is 'c1'."),
        (_with_other_class, "seed 0: its tests have different classes"),
    ],
)
def test_a_text_control_without_a_mean_refuses_its_row_alone(
    spoil: Callable[[tuple[CaseScore, ...]], tuple[CaseScore, ...]], reason: str
) -> None:
    reader = full("a", track="class")
    spoilt = TestScores(spoil(reader.tests["test-blank"].rows), FACTS)
    group = one(replace(reader, tests={**reader.tests, "test-blank": spoilt}), full("b"))
    assert [(row_.model, row_.dice, row_.reason) for row_ in group.unranked] == [("a", None, reason)]
    assert [row_.model for row_ in group.ranked] == ["b"]


def test_a_control_without_a_mean_has_a_reason() -> None:
    rows = tuple(row(f"c{i}", "x", 0.5) for i in range(10))
    (control,) = one(
        full("a"), controls=(Control("mean-shape", "hippocampus", scores=TestScores(_with_pixels(rows))),)
    ).controls
    assert (control.dice, control.reason) == (None, "Distances in mm and in px have no mean: 10 rows mix them.")


@pytest.mark.parametrize("key", ["split_hash", "prompt_hash"])
def test_rows_of_another_split_or_other_prompts_than_the_fit_are_refused(key: str) -> None:
    group = one(full("a"), scored(full("b"), **{key: "other"}))
    assert [row_.reason for row_ in group.unranked] == [f"seed 0: the rows of test have another {key} than the fit"]


def test_a_run_with_other_subjects_than_most_runs_is_refused_and_changes_no_other_row() -> None:
    """Two runs have one subject per case. The other run has one subject for all cases, so no interval would exist."""
    other = scored(full("c"), subjects=dict.fromkeys(FACTS["subjects"], "p0"))
    group = one(full("a"), full("b"), other)
    assert [row_.subjects for row_ in group.ranked] == [10, 10]
    (refused,) = group.unranked
    assert refused.reason == "9 cases have another subject than in most runs; the first case is 'c1'"


def test_the_warning_lists_leaking_subjects() -> None:
    leaks = {f"p{i}": ["test", "train"] for i in range(7)}
    group = one(full("a", leak_declared=True, about=FACTS | {"leaks": leaks}), full("b", leak_declared=True))
    (warning,) = group.warnings
    assert "p0 (test and train), p1 (test and train)" in warning
    assert "and 2 more [a (tiny) [leak], b (tiny) [leak]]" in warning
    assert f"- {warning}" in to_markdown(
        leaderboard_of(
            [full("a", leak_declared=True, about=FACTS | {"leaks": leaks}), full("b", leak_declared=True)], []
        )
    )


def test_a_row_may_have_a_seed_of_an_older_version() -> None:
    (only,) = one(full("a", 0, about={}), full("a", 1)).ranked
    assert (only.seeds, only.label_space) == (2, "labels")


@pytest.mark.parametrize(
    ("common", "note"),
    [
        ({"label_hash": "theirs", "cases_hash": "cases"}, "other label_hash than the models"),
        ({"label_hash": "theirs", "cases_hash": "others"}, "other cases_hash than the models"),
        ({"label_hash": "labels", "cases_hash": "cases"}, ""),
    ],
)
def test_a_control_names_the_cases_alone_where_its_labels_differ_for_that_reason(
    common: dict[str, str], note: str
) -> None:
    facts: dict[str, Any] = {"dice": 0.3, "hd95": 9.0, "hd95_pooled": 9.0, "nsd": 0.1, "assd": 4.0}
    facts |= {"label_hash": "labels", "cases_hash": "cases"}
    control = LeaderboardRow(model="control:mean-shape", **facts)
    assert check_control(control, common, leaking=False).reason == note


def test_six_subjects_are_enough_for_an_interval_and_five_are_not() -> None:
    six, five = (FACTS | {"subjects": {f"c{i}": f"p{min(i, most)}" for i in range(10)}} for most in (5, 4))
    assert one(full("a", about=six), full("b", about=six)).warnings == ()
    (warning,) = one(full("a", about=five), full("b", about=five)).warnings
    assert warning.startswith("fewer than 6 subjects: no interval and no test")


def test_a_warning_shows_five_names_and_the_number_of_the_others() -> None:
    assert list_some(list("abcde"), most=_SHOWN) == "a, b, c, d, e"
    assert list_some(list("abcdefg"), most=_SHOWN) == "a, b, c, d, e and 2 more"


def test_a_reason_shortens_hashes_alone() -> None:
    assert [_shorten(value) for value in ("ab" * 32, "ab" * 30, "", None, 0)] == [
        *("abababababab...", "ab" * 30, "(none)", "(none)", "0")
    ]


def test_of_equally_frequent_conditions_the_first_in_the_order_of_their_keys_count() -> None:
    assert _most_frequent([{"size": "tiny", "budget": "a"}, {"size": "published", "budget": "b"}])["budget"] == "a"


def test_a_row_without_an_object_in_any_case_is_refused() -> None:
    group = one(scored(full("a"), *(absent(f"c{i}", "x") for i in range(10))))
    assert [found.reason for found in group.unranked] == ["not comparable: no class in any case"]


def test_a_model_without_text_has_no_rank_where_an_image_has_several_queries() -> None:
    blind = full("a")
    rows = blind.tests["test"].rows
    asked = scored(blind, *(replace(row, case_id=f"scan{n // 2}", query=str(n % 2)) for n, row in enumerate(rows)))
    group = one(asked)
    assert not group.ranked
    assert group.unranked[0].reason == "not ranked: it reads no text, so it cannot tell the queries of an image apart"
    assert group.unranked[0].dice == pytest.approx(one(blind).ranked[0].dice)
