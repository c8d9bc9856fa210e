"""Tables to read mark the best values by what they print, and print foreign text as it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import pytest

from benchmarks.tables.column import Column
from benchmarks.tables.latex import escape_latex, latex_tables
from benchmarks.tables.views import make_lines, mark_best
from benchmarks.tables.writers import csv_text, escape_markdown
from zoo.utils.safe_text import is_printable


def places(values: list[float | None], better: Literal["higher", "lower"]) -> list[int]:
    """Return the place of each value."""
    column = Column[float | None](key="x", digits=3, better=better, get=lambda value: value, ranks=True)
    lines = mark_best([column], make_lines([column], values, str))
    return [line.cells[0].place for line in lines]


def test_the_best_and_the_second_are_marked_by_what_is_printed() -> None:
    values = [0.8001, 0.9, 0.8004, 0.7, None]
    assert places(values, "higher") == [2, 1, 2, 0, 0]
    assert places(values, "lower") == [2, 0, 2, 1, 0]


def test_where_all_values_print_alike_none_is_marked() -> None:
    assert places([0.5, 0.5001], "higher") == [0, 0]


@pytest.mark.parametrize(("value", "text"), [(-0.0001, "0.000"), (None, ""), (float("nan"), "")])
def test_a_cell_prints_no_negative_zero_and_no_missing_number(value: float | None, text: str) -> None:
    column = Column[float | None](key="x", digits=3, get=lambda row: row)
    assert column.cell(value).text == text


@pytest.mark.parametrize("escape", [escape_markdown, escape_latex])
def test_no_foreign_text_writes_a_control_character_or_a_second_line(escape: Callable[[str], str]) -> None:
    assert is_printable(escape("a\x1b[31m\nb\u202ec"))


def test_a_footnote_of_latex_stays_a_comment() -> None:
    [_, note, _] = latex_tables([], ["one\n\\input{two}"]).split("\n")[-3:]
    assert note.startswith("% one")
    assert "two" in note


def test_a_cell_of_a_csv_is_no_formula() -> None:
    assert csv_text(["data", "dice"], [["=cmd|x (own)", -0.5]]) == "data,dice\n'=cmd|x (own),-0.5\n"
