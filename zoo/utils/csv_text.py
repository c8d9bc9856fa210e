"""Tables as CSV that a spreadsheet opens without running a formula. Every CSV file of ours is written by this module.

A spreadsheet takes a cell for a formula if the cell begins with one of `= + - @`, a tab or a line end. A case id or a
title may begin so. Such a cell gets an apostrophe before it, and `parse_csv` takes the apostrophe away.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence

_FORMULA = re.compile(r"'*[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


def format_csv(lines: Iterable[Sequence[str]]) -> str:
    r"""Return lines of cells as CSV. `parse_csv` gives the same cells back.

    Args:
        lines: The lines, each with its cells as text.

    Example:
        >>> format_csv([["case_id", "dice"], ["=1+1", "0.5"]])
        "case_id,dice\n'=1+1,0.5\n"
    """
    text = _Lines()
    # the writer quotes a cell with a carriage return only if its own line end has one
    csv.writer(text, lineterminator="\r\n").writerows([escape_formula(cell) for cell in line] for line in lines)
    return "".join(text.written)


def parse_csv(text: str) -> list[list[str]]:
    r"""Return the lines of a text that `format_csv` wrote.

    Raises:
        csv.Error: The text is not CSV.

    Example:
        >>> parse_csv("case_id,dice\n'=1+1,0.5\n")
        [['case_id', 'dice'], ['=1+1', '0.5']]
    """
    return [[unescape_formula(cell) for cell in line] for line in csv.reader(io.StringIO(text, newline=""))]


def escape_formula(text: str) -> str:
    """Return the text of a cell that no spreadsheet takes for a formula; a number stays as it is.

    Example:
        >>> escape_formula("=HYPERLINK(1)"), escape_formula("-1.5")
        ("'=HYPERLINK(1)", '-1.5')
    """
    return f"'{text}" if _FORMULA.match(text) and not _NUMBER.fullmatch(text) else text


def unescape_formula(cell: str) -> str:
    """Return the text of a cell that `escape_formula` wrote.

    Example:
        >>> unescape_formula("'=HYPERLINK(1)"), unescape_formula("'quoted'")
        ('=HYPERLINK(1)', "'quoted'")
    """
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell


class _Lines:
    """A file that keeps each written line with one line end."""

    def __init__(self) -> None:
        self.written: list[str] = []

    def write(self, line: str) -> None:
        self.written.append(f"{line[:-2]}\n")
