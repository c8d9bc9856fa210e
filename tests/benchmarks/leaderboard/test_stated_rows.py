"""Rows of methods outside the zoo: never ranked, compared apart, and without any effect on the ranking."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from benchmarks.leaderboard.leaderboard import RankingGroup, make_leaderboard
from benchmarks.storage.results import Benchmark, JobResult
from benchmarks.storage.scored import SCORED, ScoredPart
from benchmarks.tables.published_comparison import compare_with_published
from benchmarks.tables.writers import to_csv, to_json, to_markdown
from tests.helpers.comparable_results import FACTS, TEN, full
from tests.helpers.sample_benchmark import FACTS as RUN
from tests.helpers.sample_rows import row

BEST = [min(1.0, dice + 0.04) for dice in TEN]


def scored(dices: Sequence[float], name: str = "Ours", **changes: Any) -> ScoredPart:
    """Return the scores of a method outside the zoo on the cases of `full`."""
    told: dict[str, Any] = {"name": name, "data": "hippocampus", "title": "", "stated": {}, "missing_as_empty": []}
    told |= {key: changes.pop(key) for key in ("stated", "missing_as_empty", "data") if key in changes}
    about = {**FACTS, "split_hash": RUN["split_hash"], "metric_version": "1", "fold": None, "folds": 5, **changes}
    rows = tuple(row(f"c{number}", "x", dice) for number, dice in enumerate(dices))
    return ScoredPart(rows, {**about, SCORED: told}, Path(f"scored/{name}-{about['fold']}"), changes.get("refusal", ""))


def groups(results: Sequence[JobResult], *parts: ScoredPart) -> tuple[RankingGroup, ...]:
    return make_leaderboard(Benchmark(tuple(results), scored=parts)).groups


def test_the_best_dice_of_all_has_no_rank_and_changes_no_number_of_the_ranking() -> None:
    models = [full("unet"), full("film", dices=[dice - 0.02 for dice in TEN], track="class")]
    (before,) = groups(models)
    (after,) = groups(models, scored(BEST), scored(TEN, "Theirs"))
    assert json.dumps([repr(one) for one in before.ranking.rows]) == json.dumps(
        [repr(one) for one in after.ranking.rows]
    )
    assert after.ranked == before.ranked
    assert [(one.label, one.status) for one in after.unranked] == [
        ("Ours [stated]", "stated"),
        ("Theirs [stated]", "stated"),
    ]


def test_each_ranked_row_is_compared_with_each_method_outside_the_zoo() -> None:
    (group,) = groups([full("unet"), full("film", dices=[dice - 0.02 for dice in TEN], track="class")], scored(BEST))
    assert [(one.label, one.against, one.rank) for one in group.pairs] == [
        ("unet (tiny)", "Ours [stated]", None),
        ("film (tiny)", "Ours [stated]", None),
    ]
    unet = group.pairs[0]
    assert unet.delta == pytest.approx(-0.036, abs=0.005)
    assert unet.delta_low is not None
    assert unet.delta_high is not None
    assert unet.delta_low < unet.delta < unet.delta_high < 0  # type: ignore[operator]
    assert (unet.pairs, unet.effect, unet.win_rate) == (10, -1.0, 0.0)
    assert unet.p == pytest.approx(2 / 2**10)
    assert [one.p_holm for one in group.pairs] == pytest.approx([2 * 2 / 2**10] * 2)


def test_methods_outside_the_zoo_are_compared_with_each_other() -> None:
    (group,) = groups([], scored(TEN), scored(BEST, "Theirs"))
    assert (group.title, group.ranked) == ("hippocampus, methods outside the zoo", ())
    assert [(one.label, one.against) for one in group.pairs] == [("Theirs [stated]", "Ours [stated]")]


def test_a_row_shows_what_is_stated_and_how_many_cases_count_as_empty() -> None:
    stated = {"budget": "300 epochs", "pre_training": "ImageNet", "url": "https://x.org"}
    (group,) = groups([full("unet")], scored(TEN, stated=stated, missing_as_empty=["c1", "c2"]), scored(TEN, "Theirs"))
    ours, theirs = group.unranked
    assert ours.budget == "stated: 300 epochs"
    assert ours.stated == "budget: 300 epochs; pre-training: ImageNet; url: https://x.org"
    assert ours.reason == f"2 of 10 cases have no file and count as empty; stated: {ours.stated}"
    assert (theirs.budget, theirs.stated, theirs.reason) == ("", "", "nothing is stated about its training")
    assert (ours.seeds, ours.text_track, ours.encoder, ours.params) == (None, "", "", None)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"split_hash": "other"}, "not comparable: split_hash other, not abc"),
        ({"metric_version": "0"}, "not comparable: metric_version 0, not 1"),
        ({"tolerance": 3.0}, "not comparable: tolerance 3.0, not 2.0"),
        ({"label_space_hash": "others"}, "not comparable: label_space others, not labels"),
    ],
)
def test_a_row_under_other_conditions_is_refused_and_not_compared(changes: dict[str, Any], reason: str) -> None:
    (group,) = groups([full("unet")], scored(BEST, **changes))
    (ours,) = group.unranked
    assert (ours.status, group.pairs) == ("refused", ())
    assert ours.reason.startswith(reason)


def test_scores_of_other_cases_are_refused() -> None:
    (group,) = groups([full("unet")], scored(BEST[:9]))
    (ours,) = group.unranked
    assert ours.status == "refused"
    assert "n 9, not 10" in ours.reason


def test_the_folds_of_a_method_are_pooled_and_a_part_of_them_is_not_compared() -> None:
    parts = [scored(TEN[:5], fold=0, folds=2), scored(TEN[5:], fold=1, folds=2)]
    rows = tuple(row(f"c{number}", "x", dice) for number, dice in enumerate(TEN[5:], start=5))
    parts[1] = ScoredPart(rows, parts[1].about, parts[1].folder)
    (group,) = groups([], *parts)
    assert [(one.n, one.folds, one.status) for one in group.unranked] == [(10, 2, "stated")]
    (group,) = groups([], parts[0])
    (ours,) = group.unranked
    assert (ours.status, ours.n) == ("incomplete", 5)
    assert "pooled over the fold 0 of 2" in ours.reason


def test_a_refused_part_is_a_refused_row() -> None:
    part = scored(TEN)
    (group,) = groups([full("unet")], ScoredPart((), part.about, part.folder, "cases.csv: damaged."))
    (ours,) = group.unranked
    assert (ours.status, ours.label, ours.dice) == ("refused", "Ours [stated]", None)
    assert "cases.csv: damaged." in ours.reason


def test_a_row_stands_in_each_ranking_of_its_data_set_and_in_no_other() -> None:
    results = [full("film", track="class"), full("bipvl", track="report")]
    found = groups(results, scored(TEN), scored(TEN, "Elsewhere", data="btcv"))
    assert [(one.title, [row.model for row in one.unranked]) for one in found] == [
        ("hippocampus, text track: class", ["Ours"]),
        ("hippocampus, text track: report", ["Ours"]),
        ("btcv, methods outside the zoo", ["Elsewhere"]),
    ]


def test_tables_print_the_row_and_its_tests_apart() -> None:
    stated = {"budget": "300 epochs"}
    board = make_leaderboard(Benchmark((full("unet"),), scored=(scored(BEST, "Ours | *new*", stated=stated),)))
    text = to_markdown(board, stats=True)
    assert "| Ours \\| \\*new\\* [stated] |" in text
    assert "paired tests against methods outside the zoo" in text
    assert "[stated]: a method outside the zoo" in text
    content = json.loads(to_json(board))
    (group,) = content["groups"]
    assert [one["label"] for one in group["ranked"]] == ["unet (tiny)"]
    assert [(one["label"], one["against"], one["rank"]) for one in group["stated"]] == [
        ("unet (tiny)", "Ours | *new* [stated]", None)
    ]
    assert [(one["model"], one["status"], one["budget"]) for one in content["rows"]][1:] == [
        ("Ours | *new*", "stated", "stated: 300 epochs")
    ]
    assert to_csv(board, stats=True).count("Ours") == 1
    assert "Theirs" not in to_markdown(board)


def test_without_such_methods_no_table_says_a_word_of_them() -> None:
    board = make_leaderboard(Benchmark((full("unet"),)))
    assert "stated" not in to_markdown(board, stats=True)
    assert json.loads(to_json(board))["groups"][0]["stated"] == []


def test_a_method_outside_the_zoo_is_none_of_ours_beside_published_scores() -> None:
    part = scored(TEN, "nnU-Net", data="btcv")
    found = compare_with_published(make_leaderboard(Benchmark((), scored=(part,))))
    assert all(line.ours is None for line in found.lines)
