"""One table, four ways to write it: Markdown and LaTeX to read, CSV and JSON to compute with."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, fields
from typing import Any

from benchmarks.leaderboard.leaderboard import Block, Table
from benchmarks.leaderboard.ranking import Standing
from benchmarks.leaderboard.row import COLUMNS, ClassRow, Row, names_of
from benchmarks.tables.conventions import Rescored, protocol_of, protocol_sheet, rescore_row
from benchmarks.tables.latex import to_latex, write_sheets
from benchmarks.tables.views import Cell, Sheet, lines_of, sheets

OF_BLOCK = ("data", "text_track", "recipe")
"""Columns that name a block, before those of its statistics."""

P_VALUES = ("p", "p_holm")
"""Columns whose digits count from the first that is not 0: no p value is 0."""

_MARKS = re.compile(r"[\\|*`]|(?<![^\W_])_|_(?![^\W_])|<(?=[\w/!?])")

OF_ROW = ("data", "model", "size", "encoder", "text_track", "recipe", "variant")
"""Columns that name a row, before those of its classes."""


def to_csv(table: Table, stats: bool = False, per_class: bool = False) -> str:
    """Comma-separated values: the columns of `Row` in their order, fractions from 0 to 1, empty for "none".

    Args:
        table: The table.
        stats: Instead, one line a ranked row and block with the columns of `Standing`.
        per_class: Instead, one line a row and class with the columns of `ClassRow`.
    """
    if stats:
        names = [*OF_BLOCK, *(one.name for one in fields(Standing))]
        return csv_lines(
            names, ([*_of_block(block), *_values(one)] for block in table.blocks for one in _standings(block))
        )
    if per_class:
        names = [*OF_ROW, *(one.name for one in fields(ClassRow))]
        return csv_lines(names, ([*_of_row(row), *_values(one)] for row in table.rows for one in row.per_class))
    return csv_lines(COLUMNS, ([getattr(row, name) for name in COLUMNS] for row in table.rows))


def to_json(table: Table, stats: bool = False, per_class: bool = False) -> str:
    """An object with `rows` (the columns of the CSV), `blocks` with their statistics, `per_class` and `footnotes`.

    All of it stands there whatever is asked for.
    """
    content = {
        "rows": [{name: getattr(row, name) for name in COLUMNS} for row in table.rows],
        "blocks": [_block(block) for block in table.blocks],
        "per_class": [
            dict(zip(OF_ROW, _of_row(row), strict=True)) | asdict(one) for row in table.rows for one in row.per_class
        ],
        "footnotes": list(table.footnotes),
    }
    return json.dumps(_rounded(content), indent=2, ensure_ascii=False) + "\n"


def to_markdown(table: Table, stats: bool = False, per_class: bool = False) -> str:
    """One section a block: ranked rows with the best in bold, then unranked ones, then controls in italics.

    What the variants change, why rows are not ranked and what the gate warns of stands under the table.

    Args:
        table: The table.
        stats: With a table of the statistics of each ranking, and one of the texts.
        per_class: With a table of the Dice of each class.
    """
    parts = [markdown_sheet(sheet) for block in table.blocks for sheet in sheets(block, stats, per_class)]
    return "\n\n".join([*parts, "\n".join(f"- {note}" for note in table.footnotes)]) + "\n"


FORMATS: dict[str, Callable[..., str]] = {"md": to_markdown, "csv": to_csv, "latex": to_latex, "json": to_json}
"""Each takes the table, and `stats` and `per_class`."""


def write_protocol(table: Table, form: str, name: str) -> str:
    """A table in another convention, which it names.

    Args:
        table: The table.
        form: One of `FORMATS`.
        name: One of `benchmarks.tables.conventions.PROTOCOLS`.

    Raises:
        UnknownNameError: There is no such convention.
    """
    if form in ("md", "latex"):
        written = [protocol_sheet(block, name) for block in table.blocks]
        return "\n\n".join(map(markdown_sheet, written)) + "\n" if form == "md" else write_sheets(written)
    protocol = protocol_of(name)
    names = ["protocol", *OF_ROW, *(one.name for one in fields(Rescored))]
    lines = [[name, *_of_row(row), *_values(rescore_row(protocol, row))] for row in table.rows]
    if form == "csv":
        return csv_lines(names, lines)
    content = {
        "protocol": name,
        "about": protocol.about,
        "rows": [dict(zip(names, line, strict=True)) for line in lines],
    }
    return json.dumps(_rounded(content), indent=2, ensure_ascii=False) + "\n"


def markdown_sheet(sheet: Sheet) -> str:
    """One sheet with its title and notes."""
    rule = ["---"] * sheet.names + ["---:"] * (len(sheet.heads) - sheet.names)
    lines = [f"### {plain(sheet.title)}", "", _line(list(map(plain, sheet.heads))), _line(rule)]
    for cells in lines_of(sheet):
        first = f"*{plain(cells[0].text)}*" if cells[0].text in sheet.controls else plain(cells[0].text)
        lines.append(_line([first, *map(_cell, cells[1:])]))
    for title, notes in sheet.notes:
        lines += ["", f"{title}:", "", *(f"- {plain(note)}" for note in notes)]
    return "\n".join(lines)


def _cell(cell: Cell) -> str:
    text = plain(cell.text)
    return f"**{text}**" if cell.place == "best" else text


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def plain(text: str) -> str:
    """Text as Markdown prints it, in one line: an underscore within a word, or a `<` before a space, marks nothing."""
    return _MARKS.sub(r"\\\g<0>", " ".join(text.splitlines()))


def csv_lines(names: Sequence[str], lines: Iterable[Sequence[Any]]) -> str:
    """A head and its lines as CSV; numbers with six digits."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(names)
    writer.writerows([_exact(*pair) for pair in zip(names, line, strict=True)] for line in lines)
    return out.getvalue()


def _exact(name: str, value: object) -> str:
    """The cell of a column."""
    if value is None:
        return ""
    return repr(_rounded(value, name)) if isinstance(value, float) else str(value)


def _rounded(content: Any, name: str = "") -> Any:
    """All floats with six digits after the point: more than any table prints, fewer than rounding errors need."""
    if isinstance(content, dict):
        return {key: _rounded(value, key) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [_rounded(value) for value in content]
    if not isinstance(content, float):
        return content
    return float(f"{content:.6g}") if name in P_VALUES else round(content, 6) + 0.0


def _standings(block: Block) -> Sequence[Standing]:
    return block.ranking.standings


def _of_block(block: Block) -> list[str]:
    return [block.data, block.track, block.recipe]


def _of_row(row: Row) -> list[str]:
    return [str(getattr(row, name)) for name in OF_ROW]


def _values(one: Standing | ClassRow | Rescored) -> list[Any]:
    return [getattr(one, field.name) for field in fields(one)]


def _block(block: Block) -> dict[str, Any]:
    ranking = block.ranking
    return {
        **dict(zip(OF_BLOCK, _of_block(block), strict=True)),
        "test": ranking.test,
        "tau": ranking.tau,
        "standings": [asdict(one) for one in ranking.standings],
        "wins": ranking.wins,
        "notes": {name: row.reason for row, name in names_of(block.rows).items() if row.reason},
        "warnings": list(block.warnings),
    }
