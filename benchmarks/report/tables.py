"""The tables of a ranking group in the report, from the views that Markdown and LaTeX print too.

The report has other groups of rows, no empty columns, and some more columns.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from operator import itemgetter
from typing import Any

from benchmarks.leaderboard.aggregate import TEXTS
from benchmarks.leaderboard.leaderboard import RankingGroup
from benchmarks.leaderboard.row import LeaderboardRow, unique_labels
from benchmarks.report.entries import Entry
from benchmarks.storage.scored import STATED
from benchmarks.tables.class_views import class_view
from benchmarks.tables.column import Cell, Column
from benchmarks.tables.columns import ROW_COLUMNS, find_columns
from benchmarks.tables.costs import COST_COLUMNS
from benchmarks.tables.numbers import format_percent
from benchmarks.tables.size_columns import SIZE_COLUMNS
from benchmarks.tables.views import (
    Line,
    TableView,
    group_lines,
    make_lines,
    models_of,
    ranking_view,
    stated_view,
    text_view,
)
from zoo.metrics.definitions import METRICS

_SHARED = ("n", "seeds")
"""Columns that the section gives above the table: the table has them only where rows differ."""

_LAST = ("encoder", "text_track", "params", "seeds", "n")
"""Columns that come after the scores."""


def leaderboard_table(group: RankingGroup) -> TableView:
    """Make the leaderboard: the ranking, then the unranked rows, the variants and the controls."""
    columns, lines = group_lines(group, report=True)
    ranks = dict(zip(group.ranked, range(1, len(group.ranked) + 1), strict=True))
    ranks |= {row: one.rank for row, one in zip(group.ranked, group.ranking.rows, strict=False) if one.rank}
    kept = []
    for count, column in enumerate(columns):
        texts = {line.cells[count].text for line in lines.values()} - {""}
        if len(texts) > (column.key in _SHARED):
            kept.append(count)
    kept.sort(key=lambda count: _LAST.index(columns[count].key) if columns[count].key in _LAST else -1)

    def line(row: LeaderboardRow) -> Line:
        rank = Cell(str(ranks[row]), ranks[row]) if row in ranks else Cell()
        cells = (rank, *(lines[row].cells[count] for count in kept))
        return replace(lines[row], head=row.label.removeprefix("control:"), cells=cells)

    sections = {
        "": group.ranked,
        "Not ranked": [row for row in group.unranked if row.status != STATED],
        "Methods outside the zoo": [row for row in group.unranked if row.status == STATED],
        "Ablation variants": [row for row in group.rows if row.variant],
        "Controls": group.controls,
    }
    rank: Column[Any] = Column(key="rank", title="Rank", note="rank by Dice", better="lower", get=ranks.get)
    return TableView(
        title="Leaderboard",
        caption=f"Leaderboard, {group.data}: best bold, second underlined, among ranked models",
        corner="Model",
        columns=(rank, *(columns[count] for count in kept)),
        groups=tuple((title, tuple(map(line, rows))) for title, rows in sections.items() if rows),
    )


def all_columns_table(group: RankingGroup) -> TableView:
    """Make the table of every column of the CSV, with six digits, for every row."""
    shown = [column for column in ROW_COLUMNS if column.key not in {"model", "data"}]
    columns = [
        replace(column, title=column.key, text=_exact(column), words=not _has_numbers(column, group))
        for column in shown
    ]
    lines = make_lines(columns, group.rows, lambda row: row.label, lambda row: row.status)
    view = TableView("Every column", "Every column, as in the CSV", "row", tuple(columns), (("", lines),))
    return without_empty(view)


def _has_numbers(column: Column[LeaderboardRow], group: RankingGroup) -> bool:
    return any(isinstance(column.get(row), int | float) for row in group.rows)


def _exact(column: Column[LeaderboardRow]) -> Any:
    def text(row: LeaderboardRow) -> str:
        value = column.get(row)
        return repr(round(value, 6) + 0.0) if isinstance(value, float) else str(value)

    return text


def ranking_table(group: RankingGroup) -> TableView | None:
    """Make the table of the statistics of the ranking; None where there is no ranking."""
    if not group.ranking.rows:
        return None
    caption = "The ranking over subjects: intervals, tests against the best, stability"
    return without_empty(replace(ranking_view(group), caption=caption))


def stated_table(group: RankingGroup) -> TableView | None:
    """Make the table of the paired tests against methods outside the zoo; None where there are none."""
    if not group.pairs:
        return None
    return without_empty(replace(stated_view(group), caption="Paired tests against methods outside the zoo"))


def wins_table(group: RankingGroup) -> TableView | None:
    """Make the table of pairwise win rates, row of the line over row of the column; None for fewer than two rows."""
    labels = list(unique_labels(group.ranked).values())
    if len(group.ranking.wins) < 2:
        return None
    columns = [_wins_column(group, other, label) for other, label in enumerate(labels)]
    lines = make_lines(columns, range(len(labels)), lambda row: f"{row + 1} {labels[row]}")
    shaded = (replace(line, cells=tuple(map(_shade, line.cells))) for line in lines)
    return TableView("Wins", "Wins on subjects: line against column", "beats", tuple(columns), (("", tuple(shaded)),))


def _wins_column(group: RankingGroup, other: int, label: str) -> Column[int]:
    return Column(
        key=str(other),
        title=str(other + 1),
        note=f"{label}: share of the subjects on which it is beaten",
        get=lambda row: None if row == other else group.ranking.wins[row][other],
        text=lambda row: format_percent(group.ranking.wins[row][other]),
    )


def _shade(cell: Cell) -> Cell:
    return replace(cell, share=cell.value if isinstance(cell.value, float) else None)


def text_table(group: RankingGroup) -> TableView | None:
    """Make the table of the Dice with each text; None where no row was tested with another text."""
    rows = [row for row in models_of(group) if row.reads_text]
    if not any(getattr(row, gain) is not None for row in rows for gain in TEXTS.values()):
        return None
    return without_empty(replace(text_view(group), caption="Dice with each text, same checkpoints"))


def size_table(group: RankingGroup) -> TableView | None:
    """Make the table of the Dice by the size of the object; None where no class has three objects."""
    if not any(column.when(group) for column in SIZE_COLUMNS):
        return None
    rows, columns = models_of(group), find_columns("dice", *(column.key for column in SIZE_COLUMNS))
    ranked, labels = set(group.ranked), unique_labels(rows)
    lines = make_lines(columns, rows, labels.__getitem__, lambda row: "" if row in ranked else row.status)
    caption = "Dice by the size of the object: the smallest, middle and largest third of the cases"
    return TableView("Dice by size", caption, "Model", tuple(columns), (("", lines),))


def class_tables(group: RankingGroup) -> list[TableView]:
    """Make one table of each metric, with one column per class; none for a single class."""
    views = [class_view(group, metric.key) for metric in METRICS]
    return [_in_sections(view) for view in views if len(view.columns) > 1]


def _in_sections(view: TableView) -> TableView:
    """Give the groups of a class table their titles."""
    ranked = [line for line in view.lines if not line.kind]
    controls = [line for line in view.lines if line.kind == "control"]
    others = [line for line in view.lines if line.kind not in ("", "control")]
    controls = [replace(line, head=line.head.removeprefix("control:")) for line in controls]
    groups = {"": ranked, "Not ranked": others, "Controls": controls}
    title = view.title.rpartition(": ")[2]
    return replace(
        view,
        caption=f"{title}, mean ± standard deviation over seeds",
        groups=tuple((head, tuple(lines)) for head, lines in groups.items() if lines),
    )


def cost_table(models: Sequence[Entry], measured: Sequence[Mapping[str, Any]]) -> TableView | None:
    """Make the table of the measured costs; None where nothing was measured.

    Args:
        models: The models.
        measured: The costs of each model, empty where they were not measured.
    """
    if not any(measured):
        return None
    rows = [{"method": entry.name, **cost} for entry, cost in zip(models, measured, strict=True) if cost]
    lines = make_lines(COST_COLUMNS, rows, itemgetter("method"))
    return TableView("Costs", "Costs, measured one after the other", "Model", COST_COLUMNS, (("", lines),))


def without_empty(view: TableView) -> TableView:
    """Return a view without the columns and lines in which all cells are empty."""
    kept = [count for count in range(len(view.columns)) if any(line.cells[count].text for line in view.lines)]
    groups = []
    for title, lines in view.groups:
        shown = [replace(line, cells=tuple(line.cells[count] for count in kept)) for line in lines]
        groups.append((title, tuple(line for line in shown if any(cell.text for cell in line.cells))))
    return replace(view, columns=tuple(view.columns[count] for count in kept), groups=tuple(groups))
