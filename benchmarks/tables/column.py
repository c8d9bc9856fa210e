"""One column of a table: how its value is found in a row, and how tables to read print it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, Generic, Literal, TypeVar

from benchmarks.leaderboard.leaderboard import RankingGroup
from benchmarks.leaderboard.statistics import LEVEL
from benchmarks.tables.numbers import format_interval, format_spread

Row = TypeVar("Row")

INTERVAL = f"{LEVEL:.0%} CI".replace("%", " %")
"""Title of an interval."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell of a table to read.

    Attributes:
        text: What is printed.
        value: What the report sorts by; None for an empty cell, which is always last.
        place: 1 for the best value of a ranking, 2 for the second, else 0.
        marked: Whether the row differs from the best row by the test.
        share: A fraction by which the report shades the cell.
    """

    text: str = ""
    value: float | str | None = None
    place: int = 0
    marked: bool = False
    share: float | None = None


@dataclass(frozen=True, kw_only=True)
class Column(Generic[Row]):
    """One column of a table.

    Attributes:
        key: Name in CSV and JSON.
        title: Title in tables to read; empty where only files have the column.
        note: Meaning, in one line of Markdown.
        digits: Digits after the point in tables to read; None for text and counts.
        better: "higher" or "lower" where one value is better than another, else "".
        get: Value of a row: a number, a text or None.
        shown: "file": CSV, JSON and the unfolded table of the report; "report": also the leaderboard of the report;
            "table": also Markdown and LaTeX.
        after: Key of the column after which tables to read show it; empty for its place in the list.
        std: Standard deviation of the value, printed behind it.
        high: Upper end of an interval whose lower end is the value.
        sign: "+" for a difference.
        distance: Whether the value has the unit of the distances of its row.
        ranks: Whether tables mark the best two values of a ranking.
        words: Whether the column is text, flush left.
        significant: Whether the digits in files count from the first that is not 0.
        text: Printed value of a row, where it is not the number.
        when: Whether a ranking group has the column.

    Example:
        >>> column = Column(key="n", title="n", note="number of letters", get=len)
        >>> column.print("abc")
        '3'
    """

    key: str
    title: str = ""
    note: str = ""
    digits: int | None = None
    better: Literal["", "higher", "lower"] = ""
    get: Callable[[Row], Any]
    shown: Literal["file", "report", "table"] = "file"
    after: str = ""
    std: Callable[[Row], float | None] | None = None
    high: Callable[[Row], float | None] | None = None
    sign: Literal["", "+"] = ""
    distance: bool = False
    ranks: bool = False
    words: bool = False
    significant: bool = False
    text: Callable[[Row], str] | None = None
    when: Callable[[RankingGroup], bool] = lambda group: True

    def cell(self, row: Row) -> Cell:
        """Return the value of a row as a cell."""
        value = self.get(row)
        order = float(f"{value:.6g}") if isinstance(value, float) else value
        return Cell(self.print(row), None if value == "" else order)

    def print(self, row: Row) -> str:
        """Return the value of a row as tables to read print it; nothing for None."""
        value = self.get(row)
        if value is None or (isinstance(value, float) and not math.isfinite(value)):
            return ""
        if self.text is not None:
            return self.text(row)
        if self.digits is None:
            return str(value)
        if self.high is not None:
            return format_interval(value, self.high(row), self.digits, self.sign)
        return format_spread(value, self.std(row) if self.std else None, self.digits, self.sign)


def field_column(key: str, note: str, **more: Any) -> Column[Any]:
    """Return the column of the field of that name."""
    return Column(key=key, note=note, get=attrgetter(key), **more)
