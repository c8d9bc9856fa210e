"""Which tables of a leaderboard are written, with which columns, and where the controls stand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from benchmarks.leaderboard.leaderboard import RankingGroup
from benchmarks.tables.class_views import class_views
from benchmarks.tables.columns import CLASS_COLUMNS, OF_GROUP, OF_ROW, ROW_COLUMNS
from benchmarks.tables.statistics_columns import RANKED_COLUMNS
from benchmarks.tables.views import TableView, leaderboard_view, models_of, ranking_view, stated_view, text_view
from zoo.errors import ConfigError, did_you_mean


@dataclass(frozen=True, slots=True)
class Choice:
    """The tables that a user asks for.

    Attributes:
        stats: Whether to add the statistics of each ranking, and the texts.
        per_class: Whether to add the scores of each class.
        columns: Keys of the columns, in their order; empty for those that a table has by default.
        controls: "rows", or "note" for the scores of the controls in the note of a table to read.
    """

    stats: bool = False
    per_class: bool = False
    columns: tuple[str, ...] = ()
    controls: Literal["rows", "note"] = "rows"

    def check(self, form: str) -> None:
        """Check that a format can hold the choice.

        Args:
            form: "md", "latex", "csv" or "json".

        Raises:
            ConfigError: The format cannot, or a column does not exist.
        """
        if form == "csv" and self.stats and self.per_class:
            raise ConfigError("zoo bench table: a CSV holds one table.", "Give --stats or --per-class, not both.")
        if self.controls == "note" and form not in ("md", "latex"):
            raise ConfigError(f"zoo bench table: {form} has no note.", "Leave out --controls, or use --format latex.")
        known = self._list_known(form)
        for key in self.columns:
            if key not in known:
                hint = did_you_mean(key, known, f"Choose among {', '.join(known)}.", most=1)
                raise ConfigError(f"zoo bench table: unknown column '{key}'.", hint)

    def needs_statistics(self, form: str) -> bool:
        """Whether the tables have an interval or a test of any row. Files for programs always have intervals.

        Args:
            form: See `check`.
        """
        return self.stats or form in ("csv", "json") or any(key.endswith(("_low", "_high")) for key in self.columns)

    def _list_known(self, form: str) -> list[str]:
        ranked, classes = ([column.key for column in columns] for columns in (RANKED_COLUMNS, CLASS_COLUMNS))
        if form == "csv" and self.stats:
            return [*OF_GROUP, *ranked]
        if form == "csv" and self.per_class:
            return [*OF_ROW, *classes]
        rows = [column.key for column in ROW_COLUMNS]
        return list(dict.fromkeys([*rows, *(classes if self.per_class else ())]))

    @property
    def row_keys(self) -> tuple[str, ...]:
        """The chosen columns of the leaderboard; the others are columns of classes."""
        known = {column.key for column in ROW_COLUMNS}
        return tuple(key for key in self.columns if key in known)


def make_views(group: RankingGroup, choice: Choice) -> list[TableView]:
    """Make the tables of a group.

    Args:
        group: The ranking group.
        choice: The tables and columns.
    """
    views = [leaderboard_view(group, choice.row_keys)]
    if choice.stats:
        views += [ranking_view(group)] if group.ranking.rows else []
        views += [stated_view(group)] if group.pairs else []
        views += [text_view(group)] if any(row.reads_text for row in models_of(group)) else []
    views += class_views(group, choice.columns) if choice.per_class else []
    return [controls_as_note(view) for view in views] if choice.controls == "note" else views


def controls_as_note(view: TableView) -> TableView:
    """Return a table whose controls are no rows: its first note has their scores."""
    controls = [line for line in view.lines if line.kind == "control"]
    texts = []
    for line in controls:
        cells = zip(view.columns, line.cells, strict=True)
        scores = [f"{column.title} {cell.text}" for column, cell in cells if column.better and cell.text]
        texts += [f"{line.head.replace('control:', 'control ')}: {', '.join(scores)}"] if scores else []
    groups = tuple((title, tuple(line for line in lines if line.kind != "control")) for title, lines in view.groups)
    notes = ((("Controls", tuple(texts)),) if texts else ()) + view.notes
    return replace(view, groups=tuple((title, lines) for title, lines in groups if lines), notes=notes)


def pick(names: Sequence[str], columns: Sequence[str]) -> list[str]:
    """Return the chosen names in the order of the choice; all where none is chosen."""
    return [key for key in columns if key in names] or list(names)
