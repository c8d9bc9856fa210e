"""The columns, classes and controls that a user chooses for a table."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace

import pytest

from benchmarks.leaderboard.leaderboard import Leaderboard
from benchmarks.storage.results import Control, JobResult, TestScores
from benchmarks.tables.choice import Choice
from benchmarks.tables.latex import to_latex
from benchmarks.tables.writers import to_csv, to_json, to_markdown
from tests.helpers.sample_benchmark import job, leaderboard_of, result, variant
from tests.helpers.sample_rows import row
from zoo.errors import ConfigError


def scores(*dices: float, labels: str = "xy") -> TestScores:
    rows = [replace(row(f"c{i}", x, dice), index=k) for i, dice in enumerate(dices) for k, x in enumerate(labels, 1)]
    return TestScores(tuple(rows))


def trained(model: str, *dices: float, labels: str = "xy") -> JobResult:
    return replace(result(job(model), list(dices)), tests={"test": scores(*dices, labels=labels)})


def table(labels: str = "xy") -> Leaderboard:
    controls = [
        Control("mean-shape", "hippocampus", scores=scores(0.25, 0.35, labels=labels)),
        Control("text-only", "hippocampus", note="every case has the same text"),
    ]
    return leaderboard_of(
        [trained("unet", 0.5, 0.7, labels=labels), trained("film", 0.4, 0.6, labels=labels)], controls
    )


def test_columns_are_chosen_by_their_keys_in_every_format() -> None:
    keys = ("model", "dice_global", "dice_std", "nsd", "budget")
    text = to_markdown(table(), columns=keys)
    assert "| Model | Dice global | dice_std | NSD | budget |" in text
    assert "| unet (tiny) | 0.600 |  | **0.600** | batch_size=4 samples=100 |" in text
    assert r"Model & Dice global & dice\_std & NSD & budget \\" in to_latex(table(), columns=keys)
    assert next(csv.reader(io.StringIO(to_csv(table(), columns=keys)))) == list(keys)
    assert list(json.loads(to_json(table(), columns=keys))["rows"][0]) == list(keys)
    head = next(csv.reader(io.StringIO(to_csv(table(), per_class=True, columns=("label", "nsd")))))
    assert head == ["label", "nsd"]


@pytest.mark.parametrize(
    ("choice", "form", "message"),
    [
        (Choice(columns=("dise",)), "md", "unknown column 'dise'. Did you mean dice?"),
        (Choice(columns=("label",)), "md", "unknown column 'label'"),
        (Choice(stats=True, columns=("nsd",)), "csv", "unknown column 'nsd'"),
        (Choice(controls="note"), "csv", "csv has no note. Leave out --controls, or use --format latex."),
        (Choice(controls="note"), "json", "json has no note"),
    ],
)
def test_a_choice_that_a_format_cannot_hold_is_refused(choice: Choice, form: str, message: str) -> None:
    with pytest.raises(ConfigError, match="zoo bench table: ") as found:
        choice.check(form)
    assert message in str(found.value)


def test_every_score_of_a_class_is_in_a_table_to_read() -> None:
    titles = ["Scored", "Dice", "Dice global", "HD95 (mm)", "HD95 pooled (mm)", "NSD", "ASSD (mm)"]
    titles += ["Missed", "Spurious", "Absent"]
    text = to_markdown(table(), per_class=True)
    for title in titles:
        assert f"### hippocampus, text track: none: {title} of each class" in text
    assert text.count("| Model | x | y |") == len(titles)
    single = to_markdown(table("x"), per_class=True)
    assert f"| Model | {' | '.join(titles)} |" in single
    assert single.count("### ") == 2, "one class needs one table"
    chosen = to_markdown(table(), per_class=True, columns=("dice", "nsd"))
    assert chosen.count("of each class") == 2


def test_controls_may_stand_in_the_note_of_a_table() -> None:
    text = to_latex(table(), controls="note", per_class=True)
    assert "control:" not in text.replace("control:text-only: every case", "")
    note = r"\footnotesize control mean-shape: Dice 0.300, Dice global 0.300, HD95 (mm) 2.00, Missed 0, Spurious 0."
    assert note in text
    assert "control mean-shape: x 0.300, y 0.300." in text, "each table of classes has its own"
    plain = to_markdown(table(), controls="note")
    assert "Controls:\n\n- control mean-shape: Dice 0.300" in plain
    assert "*control:mean-shape*" not in plain
    assert "*control:mean-shape*" in to_markdown(table())


def test_each_latex_table_has_a_label_of_its_own() -> None:
    text = to_latex(table(), stats=True, per_class=True)
    labels = [line for line in text.splitlines() if line.startswith(r"\label")]
    assert labels[0] == r"\label{tab:hippocampus-text-track-none}"
    assert len(set(labels)) == len(labels) == text.count(r"\caption")


def test_a_table_to_read_is_the_same_without_intervals_and_tests() -> None:
    ten = [0.5, 0.6, 0.7, 0.8, 0.9, 0.55, 0.65, 0.75, 0.85, 0.95]
    results = [
        result(job("bipvl", 0, "class"), *[ten] * 3),
        result(variant("no_text"), *[ten[::-1]] * 3),
        result(job("unet"), ten),
    ]
    plain, whole = (leaderboard_of(results, test=test) for test in (None, "wilcoxon"))
    for keys in ((), ("model", "dice", "over_no_text", "text_gain")):
        for write in (to_markdown, to_latex):
            assert write(plain, columns=keys) == write(whole, columns=keys)
    assert plain.rows[0].dice_low is None
    assert plain.groups[0].ranking.rows == ()


@pytest.mark.parametrize(
    ("choice", "form", "needed"),
    [
        (Choice(), "md", False),
        (Choice(per_class=True, controls="note"), "latex", False),
        (Choice(stats=True), "md", True),
        (Choice(), "csv", True),
        (Choice(columns=("model", "hd95_low")), "md", True),
    ],
)
def test_intervals_are_computed_where_a_table_has_them(choice: Choice, form: str, needed: bool) -> None:
    assert choice.needs_statistics(form) is needed
