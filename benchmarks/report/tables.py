"""The tables of a block: its leaderboard, its statistics, its classes, its texts and its costs."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from benchmarks.leaderboard.leaderboard import Block
from benchmarks.leaderboard.row import COLUMNS, Row, names_of
from benchmarks.report.cells import DOWN, UP, Cell, Column, Grid, Line, chosen, number, place, typeset
from benchmarks.report.entries import Entry
from benchmarks.tables.costs import COLUMNS as COSTS
from benchmarks.tables.views import Sheet, percent, statistics, texts

OF_CLASS = ("dice", "hd95", "nsd")
"""Figures of the classes that have a table."""

_WORDS = ("batch", "device")
"""Columns of the costs that are no numbers."""

_LOWER = ("Rank", "p", "p (Holm)", "Mean rank")
"""Columns of the statistics of which less is better."""


def leaderboard(block: Block) -> Grid:
    """The ranking, then what is not ranked, the variants and the controls."""
    columns = chosen(block.rows, block.unit)
    ranked = {row: [pick(row) for _, pick in columns] for row in block.ranked}
    ranks = {row: count for count, row in enumerate(block.ranked, start=1)}
    for row, one in zip(block.ranked, block.ranking.standings, strict=False):
        ranks[row] = one.rank
        marks = [one.worse and column.head == "Dice" for column, _ in columns]
        ranked[row] = [replace(cell, marked=mark) for cell, mark in zip(ranked[row], marks, strict=True)]
    for count, (column, _) in enumerate(columns):
        if column.ranks and len(ranked) > 1:
            placed = place([cells[count] for cells in ranked.values()], column.first)
            for cells, cell in zip(ranked.values(), placed, strict=True):
                cells[count] = cell
    variants = [row for row in block.rows if row.variant]

    def line(row: Row, kind: str) -> Line:
        first = Cell(str(ranks[row]), ranks[row]) if row in ranks else Cell()
        return Line(
            row.label.removeprefix("control:"), [first, *(ranked.get(row) or [p(row) for _, p in columns])], kind
        )

    groups = [
        ("", [line(row, "") for row in block.ranked]),
        ("Not ranked", [line(row, row.status) for row in block.unranked]),
        ("Ablation variants", [line(row, "variant") for row in variants]),
        ("Controls", [line(row, "control") for row in block.controls]),
    ]
    heads = [Column("Rank", "by Dice", True, DOWN), *(column for column, _ in columns)]
    caption = f"Leaderboard, {block.data}: best bold, second underlined, among ranked models"
    return Grid("Model", heads, [(head, lines) for head, lines in groups if lines], caption)


def every(block: Block) -> Grid:
    """Every column of the CSV."""
    names = [name for name in COLUMNS if name not in {"model", "data"}]
    lines = [Line(row.label, [_raw(getattr(row, name)) for name in names], row.status) for row in block.rows]
    kept = [place_ for place_ in range(len(names)) if any(line.cells[place_].text for line in lines)]
    columns = [
        Column(names[place_], "", any(isinstance(x.cells[place_].value, float) for x in lines)) for place_ in kept
    ]
    lines = [Line(line.head, [line.cells[place_] for place_ in kept], line.kind) for line in lines]
    return Grid("row", columns, [("", lines)], "Every column, as in the CSV")


def _raw(value: object) -> Cell:
    if value is None or value == "":
        return Cell()
    if isinstance(value, int | float) and not isinstance(value, bool):
        text = str(value) if isinstance(value, int) else repr(round(value, 6) + 0.0)
        return Cell(text, float(value))
    return Cell(str(value), str(value))


def standings(block: Block) -> Grid | None:
    """How sure the ranking is; None where there is none."""
    if not block.ranking.standings:
        return None
    names = list(names_of(block.ranked).values())
    return from_sheet(
        statistics(block), names, "The ranking over subjects: intervals, tests against the best, stability"
    )


def wins(block: Block) -> Grid | None:
    """On what share of the subjects the row of a line beats the row of a column; None for fewer than two rows."""
    names = list(names_of(block.ranked).values())
    if len(block.ranking.wins) < 2:
        return None
    lines = []
    for one, (name, values) in enumerate(zip(names, block.ranking.wins, strict=True), start=1):
        cells = [Cell() if one == other else _share(value) for other, value in enumerate(values, start=1)]
        lines.append(Line(f"{one} {name}", cells))
    columns = [
        Column(str(count), f"{name}: share of the subjects on which it is beaten")
        for count, name in enumerate(names, start=1)
    ]
    return Grid("beats", columns, [("", lines)], "Wins on subjects: line against column")


def _share(value: float | None) -> Cell:
    return Cell(percent(value), value, share=value)


def text_table(block: Block) -> Grid | None:
    """Dice with each text; None where no row was tested with another one."""
    rows = [row for row in (*block.ranked, *block.unranked) if row.text_track != "none"]
    if not any(row.text_gain is not None or row.text_gain_names is not None for row in rows):
        return None
    names = names_of([*block.ranked, *block.unranked])
    kinds = ["" if row in block.ranked else row.status for row in rows]
    return from_sheet(texts(block), [names[row] for row in rows], "Dice with each text, same checkpoints", kinds)


def from_sheet(sheet: Sheet, names: Sequence[str], caption: str, kinds: Sequence[str] = ()) -> Grid:
    """A sheet as the page shows it, without its empty columns and lines.

    Args:
        sheet: Of one group, its first column being the row's label.
        names: What stands there instead, a line each.
        caption: Of the grid.
        kinds: A word a line.
    """
    (lines,) = sheet.groups
    kept = [count for count in range(1, len(sheet.heads)) if any(line[count].text for line in lines)]
    columns = [Column(sheet.heads[count], "", True, DOWN if sheet.heads[count] in _LOWER else UP) for count in kept]
    made = [
        Line(
            name,
            [Cell(typeset(line[count].text), _value(line[count].text), marked=line[count].marked) for count in kept],
            kind,
        )
        for name, line, kind in zip(names, lines, kinds or [""] * len(lines), strict=True)
    ]
    return Grid(
        sheet.heads[0], columns, [("", [line for line in made if any(cell.text for cell in line.cells)])], caption
    )


def _value(text: str) -> float | None:
    """The first number of a text, by which it sorts; "< 0.001" is less than any that is printed."""
    found = re.search(r"[-+]?\d+(?:\.\d+)?", text)
    return None if found is None else 0.0 if text.startswith("<") else float(found.group())


def classes(entries: Sequence[Entry], labels: Sequence[str], name: str, block: Block) -> Grid:
    """One figure of each class, mean ± over seeds; the best two among the ranked models are marked.

    Args:
        entries: The models.
        labels: The classes.
        name: "dice", "hd95" or "nsd".
        block: Whose they are.
    """
    digits, first = (2, DOWN) if name == "hd95" else (3, UP)
    head = {"dice": "Dice", "hd95": "HD95" + (f" ({block.unit})" if block.unit else ""), "nsd": "NSD"}[name]

    def cell(row: Row, label: str) -> Cell:
        one = next((one for one in row.per_class if one.label == label), None)
        return Cell() if one is None else number(getattr(one, name), digits, getattr(one, f"{name}_std", None))

    shown = [(entry.row, entry.name) for entry in entries] + [(row, row.label) for row in block.controls]
    cells = {row: [cell(row, label) for label in labels] for row, _ in shown if row.per_class}
    ranked = [row for row in cells if row in block.ranked]
    for count in range(len(labels)):
        for row, marked in zip(ranked, place([cells[row][count] for row in ranked], first), strict=True):
            cells[row][count] = marked
    groups: dict[str, list[Line]] = {"": [], "Not ranked": [], "Controls": []}
    for row, text in shown:
        if row in cells:
            group = "Controls" if row.control else "" if row in ranked else "Not ranked"
            groups[group].append(Line(text.removeprefix("control:"), cells[row], row.status if group else ""))
    columns = [Column(label, f"{head} of {label}", True, first) for label in labels]
    caption = (
        f"{head} by class, mean ± standard deviation over seeds"
        if name != "nsd"
        else f"{head} by class, mean over seeds"
    )
    return Grid("Model", columns, [(title, group) for title, group in groups.items() if group], caption)


def cost_table(models: Sequence[Entry], measured: Sequence[Mapping[str, Any]]) -> Grid | None:
    """What was measured of the models' costs; None where nothing was.

    Args:
        models: The models.
        measured: The costs of each, empty where they were not measured.
    """
    if not any(measured):
        return None

    def cell(title: str, cost: Mapping[str, Any]) -> Cell:
        text = COSTS[title](cost) if cost else ""
        return Cell(text, text if title in _WORDS else _value(text))

    lines = [
        Line(entry.name, [cell(title, cost) for title in COSTS]) for entry, cost in zip(models, measured, strict=True)
    ]
    columns = [Column(title, "", title not in _WORDS) for title in COSTS]
    return Grid("Model", columns, [("", lines)], "Costs, measured one after the other")
