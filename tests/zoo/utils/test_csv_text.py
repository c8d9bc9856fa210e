"""CSV that a spreadsheet opens without running a formula."""

from __future__ import annotations

import csv
import io

import pytest

from zoo.utils.csv_text import format_csv, parse_csv

FORMULAS = [
    "=HYPERLINK(1)",
    "+1+cmd|' /C calc'!A0",
    "-2+3",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "\n=1",
    "\uff1d1",
    "'=1",
    "''@a",
]
PLAIN = ["", "a", "a=1", "'quoted'", "-1.5", "+3", "1e-5", "-.5E+10", "a\rb", "a\nb", 'a"b', "a,b", "it's", "'"]


@pytest.mark.parametrize("text", [*FORMULAS, *PLAIN])
def test_a_cell_is_read_as_it_was_written(text: str) -> None:
    assert parse_csv(format_csv([["head", text], [text, "end"]])) == [["head", text], [text, "end"]]


@pytest.mark.parametrize("text", FORMULAS)
def test_no_cell_of_another_reader_begins_like_a_formula(text: str) -> None:
    [[cell]] = csv.reader(io.StringIO(format_csv([[text]]), newline=""))
    assert cell == f"'{text}"


@pytest.mark.parametrize("text", PLAIN)
def test_a_plain_cell_is_stored_as_it_is(text: str) -> None:
    [[cell, _]] = csv.reader(io.StringIO(format_csv([[text, "end"]]), newline=""))
    assert cell == text
