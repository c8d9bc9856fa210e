"""One leaderboard in four formats: Markdown and LaTeX to read, CSV and JSON to compute with."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from benchmarks.leaderboard.leaderboard import Leaderboard, RankingGroup
from benchmarks.leaderboard.row import LeaderboardRow, unique_labels
from benchmarks.tables.choice import Choice, make_views, pick
from benchmarks.tables.column import Cell, Column
from benchmarks.tables.columns import (
    CLASS_COLUMNS,
    OF_GROUP,
    OF_ROW,
    ROW_COLUMNS,
    class_rows_as_dicts,
    find_columns,
    row_as_dict,
    rows_as_dicts,
)
from benchmarks.tables.latex import to_latex
from benchmarks.tables.statistics_columns import RANKED_COLUMNS
from benchmarks.tables.views import TableView
from zoo.utils.csv_text import format_csv
from zoo.utils.safe_text import to_printable

_SIGNIFICANT = {column.key for column in RANKED_COLUMNS if column.significant}

_MARKUP = re.compile(r"[\\|*`]|(?<![^\W_])_|_(?![^\W_])|<(?=[\w/!?])")


def to_csv(leaderboard: Leaderboard, stats: bool = False, per_class: bool = False, **more: Any) -> str:
    """Return comma-separated values: fractions from 0 to 1, an empty cell for None.

    Args:
        leaderboard: The leaderboard.
        stats: Instead of `ROW_COLUMNS`, one line per group and ranked row with `RANKED_COLUMNS`. Lines without a rank
            are paired tests against a method outside the zoo.
        per_class: Instead of `ROW_COLUMNS`, one line per row and class with `CLASS_COLUMNS`.
        **more: Further attributes of `Choice`.
    """
    choice = Choice(stats, per_class, **more)
    if stats:
        entries = [
            dict(zip(OF_GROUP, name_group(group), strict=True)) | row_as_dict(RANKED_COLUMNS, row)
            for group in leaderboard.groups
            for row in (*group.ranking.rows, *group.pairs)
        ]
        names = [*OF_GROUP, *(column.key for column in RANKED_COLUMNS)]
    elif per_class:
        entries = class_rows_as_dicts(leaderboard)
        names = [*OF_ROW, *(column.key for column in CLASS_COLUMNS)]
    else:
        entries = rows_as_dicts(leaderboard)
        names = [column.key for column in ROW_COLUMNS]
    chosen = pick(names, choice.columns)
    return csv_text(chosen, ([entry[name] for name in chosen] for entry in entries))


def to_json(leaderboard: Leaderboard, stats: bool = False, per_class: bool = False, **more: Any) -> str:
    """Return an object with `rows`, `groups` with their statistics, `per_class` and `footnotes`.

    Args:
        leaderboard: The leaderboard.
        stats: Changes nothing: the object always has all of it.
        per_class: Changes nothing.
        **more: Further attributes of `Choice`; its columns are those of `rows`.
    """
    choice = Choice(stats, per_class, **more)
    keys = pick([column.key for column in ROW_COLUMNS], choice.row_keys)
    content = {
        "rows": [{key: row[key] for key in keys} for row in rows_as_dicts(leaderboard)],
        "groups": [_group_as_dict(group) for group in leaderboard.groups],
        "per_class": class_rows_as_dicts(leaderboard),
        "footnotes": list(leaderboard.footnotes),
    }
    return json_text(content)


def to_markdown(leaderboard: Leaderboard, stats: bool = False, per_class: bool = False, **more: Any) -> str:
    """Return one section per group: ranked rows with the best in bold, unranked rows, then controls in italics.

    Notes under the table say what the variants change, why rows are not ranked, and the warnings.

    Args:
        leaderboard: The leaderboard.
        stats: Whether to add a table of the statistics of each ranking, and a table of the texts.
        per_class: Whether to add the scores of each class.
        **more: Further attributes of `Choice`.
    """
    choice = Choice(stats, per_class, **more)
    views = [markdown_table(view) for group in leaderboard.groups for view in make_views(group, choice)]
    return "\n\n".join([*views, "\n".join(f"- {note}" for note in leaderboard.footnotes)]) + "\n"


FORMATS: dict[str, Callable[..., str]] = {"md": to_markdown, "csv": to_csv, "latex": to_latex, "json": to_json}
"""Each writer takes the leaderboard and the attributes of `Choice`."""


def name_group(group: RankingGroup) -> list[str]:
    """Return the values of `OF_GROUP`."""
    return [group.data, group.track, group.recipe]


def name_row(row: LeaderboardRow) -> list[str]:
    """Return the values of `OF_ROW`."""
    return [str(value) for value in values_of(find_columns(*OF_ROW), row)]


def values_of(columns: Sequence[Column[Any]], row: object) -> list[Any]:
    """Return the value of each column in a row."""
    return [column.get(row) for column in columns]


def _group_as_dict(group: RankingGroup) -> dict[str, Any]:
    ranking = group.ranking
    return {
        **dict(zip(OF_GROUP, name_group(group), strict=True)),
        "test": ranking.test,
        "tau": ranking.tau,
        "ranked": [row_as_dict(RANKED_COLUMNS, row) for row in ranking.rows],
        "wins": ranking.wins,
        "stated": [row_as_dict(RANKED_COLUMNS, row) for row in group.pairs],
        "notes": {label: row.reason for row, label in unique_labels(group.rows).items() if row.reason},
        "warnings": list(group.warnings),
    }


def markdown_table(view: TableView) -> str:
    """Return one table in Markdown, with its title and notes."""
    rule = ["---", *("---" if column.words else "---:" for column in view.columns)]
    lines = [f"### {escape_markdown(view.title)}", "", _line(list(map(escape_markdown, view.heads))), _line(rule)]
    for line in view.lines:
        head = escape_markdown(line.head)
        lines.append(_line([f"*{head}*" if line.kind == "control" else head, *map(_cell, line.cells)]))
    for title, notes in view.notes:
        lines += ["", f"{title}:", "", *(f"- {escape_markdown(note)}" for note in notes)]
    return "\n".join(lines)


def _cell(cell: Cell) -> str:
    text = escape_markdown(cell.text)
    return f"**{text}**" if cell.place == 1 else text


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def escape_markdown(text: str) -> str:
    """Return text that Markdown prints as it is, in one line.

    An underscore within a word, or a `<` before a space, is no markup and stays.
    """
    return _MARKUP.sub(r"\\\g<0>", to_printable(" ".join(text.splitlines())))


def csv_text(names: Sequence[str], lines: Iterable[Sequence[Any]]) -> str:
    """Return a head and its lines as CSV, numbers with six digits."""
    return format_csv([names, *([_file_value(*pair) for pair in zip(names, line, strict=True)] for line in lines)])


def json_text(content: object) -> str:
    """Return content as JSON, numbers with six digits."""
    return json.dumps(_round_floats(content), indent=2, ensure_ascii=False) + "\n"


def _file_value(name: str, value: object) -> str:
    if value is None:
        return ""
    return repr(_round_floats(value, name)) if isinstance(value, float) else str(value)


def _round_floats(content: Any, name: str = "") -> Any:
    """Round to six digits: more than any table prints, and fewer than the rounding of sums would show.

    The digits count from the point; for a p value they count from the first digit that is not 0.
    """
    if isinstance(content, dict):
        return {key: _round_floats(value, key) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [_round_floats(value) for value in content]
    if not isinstance(content, float):
        return content
    return float(f"{content:.6g}") if name in _SIGNIFICANT else round(content, 6) + 0.0
