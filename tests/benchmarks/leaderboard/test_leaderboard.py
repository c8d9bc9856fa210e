"""The means of the leaderboard computed by hand, the comparability check, and the four formats."""

from __future__ import annotations

import csv
import io
import itertools
import json
from dataclasses import replace
from typing import Any

import pytest

from benchmarks.leaderboard.leaderboard import Leaderboard, RankingGroup
from benchmarks.plan.job import Settings
from benchmarks.storage.results import Control, JobResult, TestScores
from benchmarks.tables.latex import to_latex
from benchmarks.tables.writers import FORMATS, to_csv, to_json, to_markdown
from tests.helpers.sample_benchmark import job, leaderboard_of, result
from tests.helpers.sample_rows import absent, row

COLUMNS = (
    "model,size,encoder,data,text_track,n,seeds,dice,dice_std,dice_global,hd95,hd95_std,hd95_unit,"
    "missed,spurious,text_gain,text_gain_blank,params,params_trainable"
)


def results() -> list[JobResult]:
    """The Dice of unet is 0.6 and 0.7 over its seeds, of bipvl 0.8 and 0.9 and lower with other text."""
    return [
        result(job("unet", 0), [0.5, 0.7]),
        result(job("unet", 1), [0.6, 0.8]),
        result(job("bipvl", 0, "class"), [0.7, 0.9], [0.5, 0.5], [0.2, 0.4]),
        result(job("bipvl", 1, "class"), [0.8, 1.0], [0.3, 0.5], [0.5, 0.7]),
    ]


def controls() -> list[Control]:
    facts: dict[str, Any] = {"split_hash": "abc", "metric_version": "1"}
    empty = TestScores((row("c0", "x", 0.0, 50.0, "missed"), row("c1", "x", 0.0, 70.0, "missed")))
    return [
        Control("all-background", "hippocampus", **facts, scores=empty),
        Control("text-free-bound", "hippocampus", **facts, dice=0.75),
    ]


def table() -> Leaderboard:
    return leaderboard_of(results(), controls())


def group(found: Leaderboard) -> RankingGroup:
    assert len(found.groups) == 1
    return found.groups[0]


def test_the_means_agree_with_a_computation_by_hand() -> None:
    bipvl, unet = group(table()).ranked
    assert (bipvl.model, unet.model) == ("bipvl", "unet")
    assert (unet.n, unet.seeds, unet.encoder, unet.text_track) == (2, 2, "", "none")
    assert unet.dice == pytest.approx(0.65)
    assert unet.std.dice == pytest.approx(0.1 / 2**0.5)  # ddof 1: sqrt((0.05² + 0.05²) / 1)
    assert unet.dice_global == pytest.approx(0.65)
    assert (unet.hd95, unet.std.hd95, unet.hd95_unit) == (2.0, 0.0, "mm")
    assert (unet.text_gain, unet.text_gain_blank) == (None, None)
    assert bipvl.text_gain == pytest.approx(((0.8 - 0.5) + (0.9 - 0.4)) / 2)
    assert bipvl.text_gain_blank == pytest.approx(((0.8 - 0.3) + (0.9 - 0.6)) / 2)
    assert (bipvl.params, bipvl.params_trainable, bipvl.encoder) == (1_250_000, 1_000_000, "minilm")


def test_a_table_shows_which_rows_have_pretrained_vision_as_soon_as_one_has_it() -> None:
    assert "Pre-trained vision" not in to_markdown(table())
    weights = "timm:resnet18 hub (abc)"
    found = leaderboard_of(
        [*results(), result(job("film", 0, "class"), [0.5, 0.5], pretrained_vision=weights)], controls()
    )
    header, *rows = [line for line in to_markdown(found).splitlines() if line.startswith("|")][:5]
    place = header.split("|").index(" Pre-trained vision ")
    shown = {line.split("|")[place].strip() for line in rows}
    assert shown >= {"yes", "no"}
    assert weights in to_csv(found)


def test_one_seed_has_no_deviation() -> None:
    (only,) = group(leaderboard_of(results()[:1], [])).ranked
    assert only.dice == pytest.approx(0.6)
    assert only.std.dice is None
    assert only.std.hd95 is None


def test_missed_and_spurious_are_means_over_seeds_of_totals_over_pairs() -> None:
    tests = [
        [row("a", "x", 0.0, 9.0, "missed"), row("b", "x", 0.0, 9.0, "missed"), absent("c", "x")],
        [row("a", "x", 0.9), row("b", "x", 0.0, 9.0, "missed"), row("c", "x", 0.0, 9.0, "spurious")],
    ]
    runs = [
        replace(result(job("unet", seed), [0.1]), tests={"test": TestScores(tuple(rows))})
        for seed, rows in enumerate(tests)
    ]
    (only,) = group(leaderboard_of(runs, [])).ranked
    assert (only.missed, only.spurious) == (1.5, 0.5)


def test_a_row_with_a_missing_seed_has_no_mean() -> None:
    failed = JobResult(job("unet", 1), "failed", "fit: zoo: error: no such file")
    found = group(leaderboard_of([results()[0], failed], []))
    assert not found.ranked
    (only,) = found.unranked
    assert (only.status, only.dice, only.seeds, only.seeds_planned) == ("failed", None, 1, 2)
    assert only.reason == "1 of 2 seeds: seed 1 failed (fit: zoo: error: no such file)"
    assert "| 1/2 |" in to_markdown(leaderboard_of([results()[0], failed], []))


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        ({"split_hash": "other"}, "split_hash other, not abc"),
        ({"metric_version": "0"}, "metric_version 0, not 1"),
        ({"budget": {"samples": 7, "batch_size": 4}}, "budget batch_size=4 samples=7, not batch_size=4 samples=100"),
    ],
)
def test_a_row_with_another_condition_is_not_ranked(facts: dict[str, Any], reason: str) -> None:
    other = result(job("zzz", 0), [0.99, 0.99], **facts)
    found = group(leaderboard_of([*results(), other], controls()))
    assert [r.model for r in found.ranked] == ["bipvl", "unet"]
    (refused,) = found.unranked
    assert (refused.model, refused.status) == ("zzz", "refused")
    assert reason in refused.reason
    assert "**0.990**" not in to_markdown(leaderboard_of([*results(), other], controls()))


def test_other_sizes_units_and_numbers_of_cases_are_refused() -> None:
    published = result(job("big", 0, size="published"), [0.99, 0.99])
    fewer = result(job("few", 0), [0.99])
    pixels = result(job("px", 0), [0.9, 0.9])
    rows = [row("c0", "x", 0.9, unit="px"), row("c1", "x", 0.9, unit="px")]
    pixels = replace(pixels, tests={"test": TestScores(tuple(rows))})
    found = group(leaderboard_of([*results(), published, fewer, pixels], []))
    reasons = {r.model: r.reason for r in found.unranked}
    assert reasons.keys() == {"big", "few", "px"}
    assert "size published, not tiny" in reasons["big"]
    assert "n 1, not 2" in reasons["few"]
    assert "hd95_unit px, not mm" in reasons["px"]
    assert "2.00 px" in to_markdown(leaderboard_of([*results(), pixels], []))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("split_hash", "other"),
        ("prompt_hash", "other"),
        ("metric_version", "0"),
        ("params", 7),
        ("params_trainable", 7),
        ("budget", {"samples": 7}),
        ("pretrained_vision", "timm:resnet18 hub (abc)"),
    ],
)
def test_seeds_of_different_conditions_are_not_averaged(key: str, value: Any) -> None:
    runs = [result(job("unet", 0), [0.5]), result(job("unet", 1), [0.9], **{key: value})]
    (only,) = group(leaderboard_of(runs, [])).unranked
    assert (only.dice, only.reason) == (None, f"the seeds differ in {key}")


def test_two_text_tracks_are_two_groups_and_text_free_rows_are_in_both() -> None:
    report = result(job("lvit", 0, "report"), [0.9, 0.9], [0.5, 0.5], [0.5, 0.5])
    found = leaderboard_of([*results(), report], controls())
    assert [b.track for b in found.groups] == ["class", "report"]
    assert [[r.model for r in b.ranked] for b in found.groups] == [["bipvl", "unet"], ["lvit", "unet"]]
    assert all(len(b.controls) == 2 for b in found.groups)
    assert [r.model for r in found.rows].count("unet") == 1


def test_a_control_that_reads_text_gives_text_free_models_its_track() -> None:
    text = Control("text-only", "hippocampus", track="class", note="not applicable")
    found = group(leaderboard_of(results()[:2], [*controls(), text]))
    assert found.track == "class"
    assert [row.model for row in found.ranked] == ["unet"]
    assert [row.model for row in found.controls][-1] == "control:text-only"


def test_controls_are_never_ranked_and_have_a_note_where_their_split_differs() -> None:
    stale = Control("mean-shape", "hippocampus", split_hash="old", metric_version="1", dice=1.0)
    found = group(leaderboard_of(results(), [*controls(), stale]))
    assert not any(r.control for r in found.ranked)
    empty, bound, old = found.controls
    assert (empty.model, empty.dice, empty.hd95, empty.missed) == ("control:all-background", 0.0, 60.0, 2.0)
    assert (bound.model, bound.dice, bound.hd95) == ("control:text-free-bound", 0.75, None)
    assert old.reason == "other split_hash than the models"


@pytest.mark.parametrize("form", sorted(FORMATS))
def test_the_order_of_jobs_changes_no_table(form: str) -> None:
    texts = {FORMATS[form](leaderboard_of(order, controls())) for order in itertools.permutations(results())}
    assert len(texts) == 1


def test_csv_begins_with_the_published_columns_and_has_fractions() -> None:
    text = to_csv(table())
    assert text.startswith(COLUMNS + ",")
    first, second, *rest = csv.DictReader(io.StringIO(text))
    assert (first["model"], first["size"], first["encoder"], first["text_track"]) == (
        "bipvl",
        "tiny",
        "minilm",
        "class",
    )
    assert (first["dice"], first["dice_std"], first["text_gain"]) == ("0.85", "0.070711", "0.4")
    assert (second["model"], second["encoder"], second["text_gain"]) == ("unet", "", "")
    assert [r["model"] for r in rest] == ["control:all-background", "control:text-free-bound"]


def test_json_has_rows_and_footnotes() -> None:
    content = json.loads(to_json(table()))
    assert [r["model"] for r in content["rows"]][:2] == ["bipvl", "unet"]
    assert content["rows"][1]["text_gain"] is None
    assert content["footnotes"]


def test_markdown_prints_size_best_and_controls() -> None:
    lines = to_markdown(table()).splitlines()
    assert lines[0] == "### hippocampus, text track: class"
    assert lines[2].split(" | ")[7] == "HD95 (mm)"
    assert lines[4] == (
        "| bipvl (tiny) | minilm | class | 2 | 2 | **0.850 ± 0.071** | 0.850 | 2.00 ± 0.00 | 0 | 0 "
        "| +0.400 | +0.400 | 1.25 |"
    )
    assert lines[5].startswith("| unet (tiny) |  | none | 2 | 2 | 0.650 ± 0.071 | 0.650 |")
    assert lines[6].startswith("| *control:all-background* |")
    assert len({line.count("|") for line in lines if line.startswith("|")}) == 1


def test_latex_escapes_names_and_has_rules() -> None:
    names = ("u_net%", r"a|b&c#")
    runs = [result(job(name, 0, data="phantom_chest"), [dice]) for name, dice in zip(names, (0.6, 0.5), strict=True)]
    text = to_latex(leaderboard_of(runs, []))
    assert r"u\_net\% (tiny)" in text
    assert r"a\textbar{}b\&c\# (tiny)" in text
    assert r"phantom\_chest" in text
    assert r"\textbf{0.600}" in text
    for rule in (r"\toprule", r"\midrule", r"\bottomrule", r"\begin{tabular}{lllrrrrrrrr}"):
        assert rule in text
    body = [line for line in text.splitlines() if line.endswith(r"\\")]
    assert {line.count(" & ") for line in body} == {10}


def test_a_declared_leak_marks_models_and_controls() -> None:
    leaking = [result(job("unet", seed), [0.5], leak_declared=True) for seed in (0, 1)]
    found = leaderboard_of(leaking, controls())
    assert {row.mark for row in found.rows} == {"leak"}
    assert "unet (tiny) [leak]" in to_markdown(found)
    assert "- [leak]: the protocol" in to_markdown(found)
    assert "[leak]" not in to_markdown(leaderboard_of([result(job("unet", 0), [0.5])], controls()))
    assert {row["mark"] for row in csv.DictReader(io.StringIO(to_csv(found)))} == {"leak"}
    assert {row.mark for row in table().rows} == {""}


def test_own_data_has_its_title_and_its_controls() -> None:
    titled = replace(job(data="image_text_folder"), settings=Settings("tiny", overrides=(("data.title", "skin"),)))
    (group,) = leaderboard_of([result(titled, [0.5])], [Control("mean-shape", "image_text_folder", dice=0.1)]).groups
    assert [found.data for found in group.rows] == ["skin (image_text_folder)"] * 2
    assert titled.id == job(data="image_text_folder").id
    assert job().shown_data == "hippocampus"


def test_a_row_has_the_dice_of_each_size_tercile_as_a_mean_over_the_seeds() -> None:
    def sized(seed: int, dices: list[float]) -> JobResult:
        found = result(job("unet", seed), dices)
        sized_rows = zip(found.tests["test"].rows, (1, 2, 3), strict=True)
        rows = tuple(replace(one, tp=one.tp * n, fp=one.fp * n, fn=one.fn * n) for one, n in sized_rows)
        return replace(found, tests={"test": TestScores(rows, found.tests["test"].about)})

    board = leaderboard_of([sized(0, [0.2, 0.5, 0.8]), sized(1, [0.4, 0.5, 1.0])], [])
    (unet,) = board.rows
    assert (unet.dice_small, unet.dice_medium, unet.dice_large) == pytest.approx((0.3, 0.5, 0.9))
    assert unet.per_class[0].dice_small == pytest.approx(0.3)
    text = to_markdown(board, columns=("model", "dice_small", "dice_medium", "dice_large"))
    assert "| unet (tiny) | 0.300 | 0.500 | 0.900 |" in text
    assert "Dice small" not in to_markdown(board)


def test_a_row_says_that_its_initial_weights_have_seen_cases_of_the_data_set() -> None:
    seen = result(job("film", 0, "class"), [0.5, 0.5], pretrained_on=["amos22", "msd_hippocampus"])
    other = result(job("tevia", 0, "class"), [0.5, 0.5], pretrained_on=["amos22"])
    found = leaderboard_of([*results(), seen, other], [])
    rows = {row.model: row for row in found.rows}
    assert (rows["film"].mark, rows["film"].pretrained_on) == ("contaminated", "amos22, msd_hippocampus")
    assert (rows["tevia"].mark, rows["tevia"].pretrained_on) == ("", "amos22")
    assert "film (tiny) [contaminated]" in to_markdown(found)
    (warning,) = [line for line in group(found).warnings if "have seen cases of the data set" in line]
    assert "amos22, msd_hippocampus" in warning
    assert "tevia" not in warning
