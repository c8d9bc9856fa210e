"""The tables of the scores per class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from benchmarks.leaderboard.leaderboard import RankingGroup
from benchmarks.leaderboard.row import ClassRow, LeaderboardRow, unique_labels
from benchmarks.tables.column import Column
from benchmarks.tables.columns import CLASS_COLUMNS
from benchmarks.tables.views import TableView, make_lines, mark_best, with_unit


def class_views(group: RankingGroup, keys: Sequence[str] = ()) -> list[TableView]:
    """Make one table per score with one column per class; of a single class, one table with all scores.

    Args:
        group: The ranking group.
        keys: Keys of scores per class; all scores where none of them is among the keys.
    """
    scores = [column for column in CLASS_COLUMNS if column.title and column.when(group)]
    scores = [column for column in scores if column.key in keys] or scores
    classes = _list_classes(group)
    if len(classes) != 1:
        return [class_view(group, column.key) for column in scores]
    (name,) = classes
    columns = [_class_column(column, name, column.title) for column in (with_unit(one, group.unit) for one in scores)]
    return [_make_view(group, columns, f"scores of {name}")]


def class_view(group: RankingGroup, score: str = "dice") -> TableView:
    """Make the table of one score per class, of every row with scores.

    Args:
        group: The ranking group.
        score: Key of a score per class.
    """
    (of_class,) = (with_unit(column, group.unit) for column in CLASS_COLUMNS if column.key == score)
    columns = [_class_column(of_class, name, name) for name in _list_classes(group)]
    return _make_view(group, columns, f"{of_class.title} of each class")


def _list_classes(group: RankingGroup) -> list[str]:
    rows = _rows_with_classes(group)
    return list(dict.fromkeys(one.label for row in group.ranked or rows for one in row.per_class))


def _rows_with_classes(group: RankingGroup) -> list[LeaderboardRow]:
    return [row for row in group.rows if row.per_class and not row.variant]


def _make_view(group: RankingGroup, columns: Sequence[Column[LeaderboardRow]], what: str) -> TableView:
    ranked, labels = set(group.ranked), unique_labels(_rows_with_classes(group))
    groups = []
    for section in group.sections:
        shown = [row for row in section if row in labels]
        lines = make_lines(columns, shown, labels.__getitem__, lambda row: "" if row in ranked else row.status)
        best = iter(mark_best(columns, [line for line in lines if not line.kind]))
        groups.append(("", tuple(line if line.kind else next(best) for line in lines)))
    return TableView(
        title=f"{group.title}: {what}",
        caption=f"{group.title}: {what}, mean and standard deviation over seeds.",
        corner="Model",
        columns=tuple(columns),
        groups=tuple(groups),
    )


def _class_column(of_class: Column[ClassRow], name: str, title: str) -> Column[LeaderboardRow]:
    """Return the column of one class from the column of a score of any class."""

    def find(row: LeaderboardRow) -> ClassRow | None:
        return next((one for one in row.per_class if one.label == name), None)

    def get(row: LeaderboardRow) -> Any:
        found = find(row)
        return None if found is None else of_class.get(found)

    def text(row: LeaderboardRow) -> str:
        found = find(row)
        return "" if found is None else of_class.print(found)

    return Column(
        key=name,
        title=title,
        note=f"{of_class.title} of {name}",
        better=of_class.better,
        get=get,
        text=text,
        ranks=of_class.ranks,
    )
