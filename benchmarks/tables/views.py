"""The tables of a ranking group as they are read: titles, cells and notes, for Markdown, LaTeX and the report.

A group has one table by default, the leaderboard. The statistics and the texts have their own tables, and so have the
classes (`benchmarks.tables.class_views`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from benchmarks.leaderboard.leaderboard import RankingGroup
from benchmarks.leaderboard.ranking import ALPHA, RankedRow
from benchmarks.leaderboard.row import LeaderboardRow, unique_labels
from benchmarks.leaderboard.statistics import FEWEST, RESAMPLES
from benchmarks.tables.column import INTERVAL, Cell, Column, Row
from benchmarks.tables.columns import find_columns, shown_columns
from benchmarks.tables.numbers import format_number
from benchmarks.tables.statistics_columns import RANKED_COLUMNS
from benchmarks.tables.text_columns import REWRITE_DICES

TESTS = {
    "wilcoxon": "two-sided Wilcoxon signed-rank test (zeros by Pratt)",
    "permutation": "two-sided permutation test of the mean difference",
}


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a table: its first cell, the other cells, and the status of the row where it is not ranked."""

    head: str
    cells: tuple[Cell, ...]
    kind: str = ""


@dataclass(frozen=True, slots=True)
class TableView:
    """One table to read.

    Attributes:
        title: What the table shows.
        caption: The same with what a reader needs to know of the numbers.
        corner: Title of the first column, which has the heads of the lines.
        columns: The other columns.
        groups: Title (which may be empty) and lines of each group; a rule divides the groups.
        notes: Title and lines of each note under the table.
    """

    title: str
    caption: str
    corner: str
    columns: tuple[Column[Any], ...]
    groups: tuple[tuple[str, tuple[Line, ...]], ...]
    notes: tuple[tuple[str, tuple[str, ...]], ...] = ()

    @property
    def heads(self) -> list[str]:
        """The titles of all columns."""
        return [self.corner, *(column.title for column in self.columns)]

    @property
    def lines(self) -> list[Line]:
        """The lines of all groups."""
        return [line for _, lines in self.groups for line in lines]


def make_lines(
    columns: Sequence[Column[Row]],
    rows: Iterable[Row],
    head: Callable[[Row], str],
    kind: Callable[[Row], str] = lambda row: "",
) -> tuple[Line, ...]:
    """Make one line per row.

    Args:
        columns: The columns.
        rows: The rows.
        head: The first cell of a row.
        kind: The status of a row, empty for a ranked row.
    """
    return tuple(Line(head(row), tuple(column.cell(row) for column in columns), kind(row)) for row in rows)


def mark_best(columns: Sequence[Column[Any]], lines: Sequence[Line]) -> tuple[Line, ...]:
    """Mark the best and the second value of each column that ranks, by what is printed.

    Values that print alike are marked alike. Where all print alike, none is marked.
    """
    marked = [list(line.cells) for line in lines]
    for count, column in enumerate(columns):
        texts = [cells[count].text.partition(" ± ")[0] for cells in marked]
        if not column.ranks:
            continue
        ordered = sorted({text for text in texts if text}, key=float, reverse=column.better == "higher")
        places = {text: place for place, text in enumerate(ordered[:2], start=1)} if len(ordered) > 1 else {}
        for cells, text in zip(marked, texts, strict=True):
            cells[count] = replace(cells[count], place=places.get(text, 0))
    return tuple(replace(line, cells=tuple(cells)) for line, cells in zip(lines, marked, strict=True))


def models_of(group: RankingGroup) -> list[LeaderboardRow]:
    """Return the ranked and the unranked rows of a group."""
    return [*group.ranked, *group.unranked]


def group_lines(
    group: RankingGroup, report: bool = False, keys: Sequence[str] = ()
) -> tuple[list[Column[Any]], dict[LeaderboardRow, Line]]:
    """Return the columns of the leaderboard of a group, and the line of each row with its marks.

    Args:
        group: The ranking group.
        report: Whether to include the columns that only the report shows.
        keys: Keys of the columns; empty for those that a group has by default.
    """
    chosen = [as_shown(column) for column in find_columns(*keys)] if keys else shown_columns(group, report)
    columns = [with_unit(column, group.unit) for column in chosen]
    ranked = set(group.ranked)
    made = make_lines(columns, group.rows, lambda row: row.label, lambda row: "" if row in ranked else row.status)
    lines = dict(zip(group.rows, made, strict=True))
    lines |= zip(group.ranked, mark_best(columns, [lines[row] for row in group.ranked]), strict=True)
    for row, entry in zip(group.ranked, group.ranking.rows, strict=False):
        cells = zip(columns, lines[row].cells, strict=True)
        marked = (replace(cell, marked=entry.worse) if column.key == "dice" else cell for column, cell in cells)
        lines[row] = replace(lines[row], cells=tuple(marked))
    return columns, lines


def as_shown(column: Column[Any]) -> Column[Any]:
    """Return a column that tables to read can print, also where only files have it by default."""
    if column.title:
        return column

    def text(row: Any) -> str:
        value = column.get(row)
        return format_number(value, 3) if isinstance(value, float) else str(value)

    return replace(column, title=column.key, text=text, words=True)


def with_unit(column: Column[Any], unit: str) -> Column[Any]:
    """Return the column of a distance with its unit in the title, or in each cell where rows have two units."""
    if not column.distance:
        return column
    if unit:
        return replace(column, title=f"{column.title} ({unit})")
    return replace(column, ranks=False, text=lambda row: f"{column.print(row)} {getattr(row, 'hd95_unit', '')}".strip())


def leaderboard_view(group: RankingGroup, keys: Sequence[str] = ()) -> TableView:
    """Make the leaderboard: ranked rows, unranked rows and controls; a variant follows its full method.

    Args:
        group: The ranking group.
        keys: Keys of the columns; empty for those that a group has by default.
    """
    columns, lines = group_lines(group, keys=[key for key in keys if key != "model"])  # the first column has the model
    labels = unique_labels(group.rows)
    notes = {
        "Variants": [f"{labels[row]}: {row.legend}" for row in group.rows if row.variant],
        "Notes": [f"{labels[row]}: {row.reason}" for row in group.rows if row.reason],
        "Warnings": list(group.warnings),
    }
    legend = f" Best in bold, second underlined. {mark_legend(group)}" if group.ranked else ""
    return TableView(
        title=group.title,
        caption=f"{group.title}. Dice as a fraction of 1, mean and standard deviation over seeds.{legend}",
        corner="Model",
        columns=tuple(columns),
        groups=tuple(("", tuple(lines[row] for row in section)) for section in group.sections),
        notes=tuple((title, tuple(texts)) for title, texts in notes.items() if texts),
    )


def ranking_view(group: RankingGroup) -> TableView:
    """Make the table of the statistics of a ranking."""
    ranking = group.ranking
    notes = [
        f"{INTERVAL}: percentile interval of {RESAMPLES:,} bootstrap samples of the subjects, the same for all rows; "
        "seeds are averaged first; subjects are drawn, not images.",
        f"Δ best, p, effect: against {ranking.rows[0].label}; {TESTS[ranking.test]} over subjects, corrected by "
        "Holm over the rows. Effect: matched-pairs rank-biserial correlation, -1 if worse on every subject.",
        "Wins: share of subjects on which a row beats another row, ties half, mean over the other rows. Rank kept: "
        "share of the bootstrap samples in which the row has its rank.",
    ]
    if ranking.tau is not None:
        notes.append(
            f"Kendall's tau between this ranking and that of a bootstrap sample: {ranking.tau:.2f} on average."
        )
    pairs = min((one.pairs for one in ranking.rows if one.pairs is not None), default=0)
    if len(ranking.rows) > 1 and pairs < FEWEST:
        notes.append(f"{pairs} subjects: too few for an interval or a test ({FEWEST} are needed).")
    columns = [column for column in RANKED_COLUMNS if column.title and column.when(group)]
    if any(one.over_no_text_pairs is not None for one in ranking.rows):
        notes.append(
            f"Over no_text: against the row's own no_text, over the seeds that both have; {TESTS[ranking.test]} over "
            "subjects, corrected by Holm over the rows that have a no_text."
        )
    return TableView(
        title=f"{group.title}: statistics",
        caption=f"{group.title}: statistics of the ranking over subjects. {mark_legend(group)}".strip(),
        corner="Model",
        columns=tuple(columns),
        groups=(("", _lines_of_tests(columns, ranking.rows)),),
        notes=(("Legend", tuple(notes)),),
    )


def _lines_of_tests(columns: Sequence[Column[Any]], rows: Sequence[RankedRow]) -> tuple[Line, ...]:
    """Make one line per row, with the mark of the test at its corrected p value."""
    lines = []
    for line, row in zip(make_lines(columns, rows, lambda row: row.label), rows, strict=True):
        cells = zip(columns, line.cells, strict=True)
        marked = (replace(cell, marked=row.worse and column.key == "p_holm") for column, cell in cells)
        lines.append(replace(line, cells=tuple(marked)))
    return tuple(lines)


def stated_view(group: RankingGroup) -> TableView:
    """Make the table of the paired tests against methods outside the zoo; the ranking does not contain them."""
    shown = ("dice", "delta", "delta_low", "pairs", "p", "p_holm", "effect", "win_rate")
    titles = {"delta": "Δ", "pairs": "Subjects"}
    by_key = {column.key: column for column in RANKED_COLUMNS}
    against = replace(by_key["against"], title="Against", words=True)
    columns = [against, *(replace(by_key[key], title=titles.get(key, by_key[key].title)) for key in shown)]
    notes = (
        f"Δ: Dice of the model minus that of the method outside the zoo, with its {INTERVAL} over the same subjects. "
        f"p: {TESTS[group.ranking.test]} over subjects; p (Holm): corrected over the rows of this table alone.",
        "Wins: share of subjects on which the model is better, ties half. The zoo did not train the method: budget, "
        "training data and pre-training may differ, so no row of this table is ranked.",
    )
    return TableView(
        title=f"{group.title}: paired tests against methods outside the zoo",
        caption=f"{group.title}: paired tests against methods outside the zoo, which are not ranked.",
        corner="Model",
        columns=tuple(columns),
        groups=(("", _lines_of_tests(columns, group.pairs)),),
        notes=(("Legend", notes),),
    )


def text_view(group: RankingGroup) -> TableView:
    """Make the table of the Dice with each text, of the models that read text."""
    rows = [row for row in models_of(group) if row.reads_text]
    ranked, labels = set(group.ranked), unique_labels(rows)
    dice, *further = find_columns(*("dice", "dice_shuffled", "dice_blank", "dice_names", "text_gain", "text_gain_low"))
    rewritten = [column for column in REWRITE_DICES if any(column.get(row) is not None for row in rows)]
    columns = (replace(dice, title="True", std=None), *further[:3], *rewritten, *further[3:])
    return TableView(
        title=f"{group.title}: Dice with other text",
        caption=f"{group.title}: Dice of the same checkpoints with the true text, the text of another case, no text, "
        f"{'class names alone, and rewritten text' if rewritten else 'and class names alone'}.",
        corner="Model",
        columns=columns,
        groups=(("", make_lines(columns, rows, labels.__getitem__, lambda row: "" if row in ranked else row.status)),),
    )


def mark_legend(group: RankingGroup) -> str:
    """Return what the mark of the test means; empty where no row has it."""
    if not any(one.worse for one in group.ranking.rows):
        return ""
    test = {"wilcoxon": "Wilcoxon signed-rank test", "permutation": "permutation test"}[group.ranking.test]
    return f"†: differs from the best, p < {ALPHA} ({test} over subjects, corrected by Holm)."
