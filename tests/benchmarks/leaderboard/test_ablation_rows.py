"""Variants in tables: they follow their full method, have a paired delta and are never ranked, in every format."""

from __future__ import annotations

import csv
import io
import itertools
import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from benchmarks.leaderboard.leaderboard import Leaderboard
from benchmarks.storage.results import Control, JobResult
from benchmarks.tables.latex import to_latex
from benchmarks.tables.writers import FORMATS, to_csv, to_json, to_markdown
from tests.helpers.sample_benchmark import job, leaderboard_of, result, variant
from zoo.metrics.case_scores import METRIC_VERSION


def results() -> list[JobResult]:
    """The Dice of the full method is 0.8 and 0.9, of one variant 0.75 and 0.95, of another 1.0 for seed 0 alone."""
    return [
        result(job("unet", 0), [0.5, 0.7]),
        result(job("unet", 1), [0.6, 0.8]),
        result(job("bipvl", 0, "class"), [0.7, 0.9], [0.5, 0.5], [0.2, 0.4]),
        result(job("bipvl", 1, "class"), [0.8, 1.0], [0.3, 0.5], [0.5, 0.7]),
        result(variant("no_text", 0), *[[0.7, 0.8]] * 3),
        result(variant("no_text", 1), *[[0.9, 1.0]] * 3),
        result(variant("no_loss", 0), *[[1.0, 1.0]] * 3),
    ]


CONTROLS = [Control("all-background", "hippocampus", split_hash="abc", metric_version="1", dice=0.0)]


def table(rows: Sequence[JobResult] | None = None) -> Leaderboard:
    return leaderboard_of(results() if rows is None else rows, CONTROLS)


def test_a_variant_follows_its_full_method_with_the_paired_delta_and_no_rank() -> None:
    (group,) = table().groups
    labels = ["bipvl (tiny)", "bipvl (tiny) - no_loss", "bipvl (tiny) - no_text", "unet (tiny)"]
    assert [row.label for row in group.rows[:-1]] == labels
    assert [row.model for row in group.ranked] == ["bipvl", "unet"]
    full, no_loss, no_text, unet, control = group.rows
    assert no_text.dice == pytest.approx(0.85)
    assert no_text.delta_dice == pytest.approx(0.0)  # -0.05 and +0.05
    assert no_text.delta_dice_std == pytest.approx(0.1 / 2**0.5)
    assert (no_text.delta_seeds, no_text.text_gain, no_text.status, no_text.reason) == (2, 0.0, "variant", "")
    assert no_loss.delta_dice == pytest.approx(0.2)  # seed 0 alone: 1.0 - 0.8, not 1.0 - 0.85
    assert (no_loss.delta_dice_std, no_loss.delta_seeds) == (None, 1)
    assert [row.delta_dice for row in (full, unet, control)] == [None] * 3


def test_a_variant_changes_no_ranking() -> None:
    """This includes variants that would be the most frequent rows in the comparability check."""
    other: dict[str, Any] = {"split_hash": "other"}
    outvoting = [result(variant(f"no_{name}", 0), *[[0.9, 0.9]] * 3, **other) for name in ("a", "b", "c", "d")]
    (plain,) = table(results()[:4]).groups
    (group,) = table([*results()[:4], *outvoting]).groups
    assert (group.ranked, group.unranked, group.controls) == (plain.ranked, plain.unranked, plain.controls)
    rows = [row for row in group.rows if row.variant]
    assert {(row.status, row.reason) for row in rows} == {
        ("refused", "not comparable with the full method: other split_hash")
    }
    assert {row.delta_dice for row in rows} == {None}


def test_variants_follow_a_full_method_that_is_refused() -> None:
    models = [result(job(name, 0), [0.5, 0.5], split_hash="most") for name in ("unet", "other")]
    (group,) = table([*models, results()[2], results()[4]]).groups
    assert [row.label for row in group.unranked] == ["bipvl (tiny)"]
    assert [row.variant for row in group.rows] == ["", "", "", "no_text", ""]
    assert group.rows[3].delta_dice == pytest.approx(-0.05)


def test_incomplete_variants_and_full_methods_have_a_reason() -> None:
    failed = JobResult(variant("no_text", 1), "failed", "fit: zoo: error: no such file")
    (group,) = table([*results()[:5], failed]).groups
    row = group.rows[1]
    assert (row.status, row.dice, row.delta_dice) == ("failed", None, None)
    assert row.reason == "1 of 2 seeds: seed 1 failed (fit: zoo: error: no such file)"
    waiting = JobResult(job("bipvl", 1, "class"), "waiting")
    (group,) = table([results()[2], waiting, *results()[4:6]]).groups
    full, no_text = group.rows[:2]
    assert (full.status, full.dice) == ("incomplete", None)
    assert (no_text.reason, no_text.delta_seeds) == ("Δ over 1 of 2 seeds", 1)
    assert no_text.delta_dice == pytest.approx(-0.05)
    none = table([replace(results()[2], state="running", tests={}), results()[4]]).groups[0].rows[1]
    assert (none.delta_dice, none.delta_seeds, none.reason) == (None, 0, "Δ over 0 of 1 seeds")


@pytest.mark.parametrize("form", sorted(FORMATS))
def test_the_order_of_jobs_changes_no_table(form: str) -> None:
    runs = results()[2:]
    assert len({FORMATS[form](leaderboard_of(order, CONTROLS)) for order in itertools.permutations(runs)}) == 1


def test_markdown_has_the_delta_and_a_legend_and_nothing_bold_in_a_variant() -> None:
    text = to_markdown(table())
    lines = text.splitlines()
    assert lines[2].split(" | ")[5:7] == ["Dice", "Δ Dice"]
    assert lines[4].startswith("| bipvl (tiny) | minilm | class | 2 | 2 | **0.850 ± 0.071** |  | 0.850 |")
    assert lines[5].startswith("| bipvl (tiny) - no_loss | minilm | class | 2 | 1 | 1.000 | +0.200 | 1.000 | 2.00 |")
    assert lines[6].startswith("| bipvl (tiny) - no_text | minilm | class | 2 | 2 | 0.850 ± 0.141 | +0.000 ± 0.071 |")
    assert len({line.count("|") for line in lines if line.startswith("|")}) == 1
    assert "Variants:\n\n- bipvl (tiny) - no_loss: without loss (use_text=false)\n" in text
    assert "delta_dice" in lines[-1]


def test_without_an_ablation_no_format_mentions_variants() -> None:
    plain = table(results()[:4])
    for form in ("md", "latex"):
        text = FORMATS[form](plain)
        assert not any(word in text for word in ("Δ", "Delta", "ung", "delta"))
    assert len(json.loads(to_json(plain))["footnotes"]) == len(json.loads(to_json(table()))["footnotes"]) - 1


def test_latex_writes_the_delta_without_characters_that_pdflatex_lacks() -> None:
    text = to_latex(table())
    assert r"Dice & $\Delta$ Dice & Dice global" in text
    assert r"bipvl (tiny) - no\_text: without text (use\_text=false)." in text
    assert "Δ" not in text.split("% dice:")[0]
    body = [line for line in text.splitlines() if line.endswith(r"\\")]
    assert {line.count(" & ") for line in body} == {14}


def test_csv_and_json_have_the_variant() -> None:
    rows = list(csv.DictReader(io.StringIO(to_csv(table()))))
    assert [row["variant"] for row in rows] == ["", "no_loss", "no_text", "", ""]
    assert [row["delta_dice"] for row in rows] == ["", "0.2", "0.0", "", ""]
    assert rows[2]["delta_dice_std"] == "0.070711"
    assert (rows[2]["variant_about"], rows[2]["variant_changes"]) == ("without text", "use_text=false")
    assert [row["status"] for row in rows] == ["ok", "variant", "variant", "ok", "control"]
    loaded = json.loads(to_json(table()))["rows"]
    assert [row["variant"] for row in loaded] == ["", "no_loss", "no_text", "", ""]
    assert loaded[1]["delta_seeds"] == 1


def test_a_variant_with_another_metric_version_than_its_full_method_is_refused() -> None:
    old = result(variant("no_text", 0), *[[0.9, 0.9]] * 3, metric_version=f"{METRIC_VERSION}x")
    (group,) = table([results()[2], old]).groups
    assert group.rows[1].reason == "not comparable with the full method: other metric_version"
