"""Tables to read mark the best values by what they print."""

from __future__ import annotations

from typing import Literal

import pytest

from benchmarks.tables.column import Column
from benchmarks.tables.views import make_lines, mark_best


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
