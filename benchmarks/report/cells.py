"""Tables as a page shows them: columns with their direction, cells with what they sort by, the best two marked."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from benchmarks.leaderboard.row import Row
from benchmarks.tables.views import WIDTH, between, seeds_text

HASH = re.compile(r"\b([0-9a-f]{12})[0-9a-f]{28,52}\b")
"""A commit or a SHA-256, and what is shown of it."""

UP, DOWN = "desc", "asc"
"""The direction of a column's better values first."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell.

    Attributes:
        text: What is printed.
        value: What the column sorts by; None for an empty cell, which always sorts last.
        place: 1 for the best of a ranking, 2 for the second, else 0.
        marked: Whether it differs from the best by the test.
        share: Of a fraction, to be shaded by it.
    """

    text: str = ""
    value: float | str | None = None
    place: int = 0
    marked: bool = False
    share: float | None = None

    @property
    def short(self) -> str:
        """The text, a hash by its first letters."""
        return HASH.sub(r"\g<1>", self.text)


@dataclass(frozen=True, slots=True)
class Column:
    """One column.

    Attributes:
        head: What stands over it.
        note: What it means, in a line.
        number: Whether it is set flush right.
        first: Order of the first click: `UP` or `DOWN`.
        ranks: Whether the best two of a ranking are marked.
    """

    head: str
    note: str = ""
    number: bool = True
    first: str = DOWN
    ranks: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """One row of a table: its heading cell, its cells, and a word that says what it is."""

    head: str
    cells: Sequence[Cell]
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Grid:
    """A table: the corner over the heading cells, columns, and groups of lines that sort among themselves."""

    corner: str
    columns: Sequence[Column]
    groups: Sequence[tuple[str, Sequence[Line]]]
    caption: str = ""


Pick = Callable[[Row], Cell]
Chosen = tuple[Column, Pick]


@dataclass(frozen=True, slots=True)
class Figure:
    """A number of a row in print: field, digits, and the field of its spread where it has one."""

    name: str
    digits: int = 3
    spread: str = ""
    sign: str = ""
    scale: float = 1.0

    def __call__(self, row: Row) -> Cell:
        """Its cell of a row; a row without such a number has an empty one."""
        value = getattr(row, self.name, None)
        if not isinstance(value, int | float):
            return Cell()
        deviation = getattr(row, self.spread, None) if self.spread else None
        return number(value * self.scale, self.digits, deviation, self.sign)


def number(value: float | None, digits: int = 3, deviation: float | None = None, sign: str = "") -> Cell:
    """A cell with a number and its spread."""
    if value is None or not math.isfinite(value):
        return Cell()
    text = typeset(f"{round(value, digits) + 0.0:{sign}.{digits}f}")
    return Cell(text + (f" ± {deviation:.{digits}f}" if deviation is not None else ""), round(value, 6) + 0.0)


def typeset(text: str) -> str:
    """Numbers with a true minus sign."""
    return re.sub(r"-(?=\d)", "\N{MINUS SIGN}", text)


def chosen(rows: Sequence[Row], unit: str) -> list[Chosen]:
    """The columns of the leaderboard: those with anything in them.

    Args:
        rows: All rows of a block.
        unit: Of its distances.
    """
    distance = f" ({unit})" if unit else ""
    known: list[Chosen] = [
        (Column("Dice", "mean over cases within a class, then over classes; ± over seeds", True, UP, True), _DICE),
        (Column(WIDTH, "of Dice, over subjects", True, UP), _interval("dice_low", "dice_high")),
        (Column(f"HD95{distance}", "95th percentile Hausdorff distance; ± over seeds", True, DOWN, bool(unit)), _HD95),
        (Column("NSD", "normalised surface distance", True, UP, True), Figure("nsd")),
        (Column("Text gain", "Dice minus that with shuffled text", True, UP), Figure("text_gain", sign="+")),
        (Column("Blank gain", "Dice minus that with no text", True, UP), Figure("text_gain_blank", sign="+")),
        (Column("Names gain", "Dice minus that with class names alone", True, UP), Figure("text_gain_names", sign="+")),
        (Column("Dice, global", "tp, fp, fn pooled over cases", True, UP, True), Figure("dice_global")),
        (Column("Missed", "objects not found, a seed"), _count("missed")),
        (Column("Spurious", "objects found where none is, a seed"), _count("spurious")),
        (Column("Δ Dice", "of a variant: minus its full method", True, UP), _DELTA),
        (Column("Text encoder", "of what reads text", False), _encoder),
        (Column("Params (M)", "parameters in millions"), Figure("params", 2, scale=1e-6)),
        (Column("Seeds", "done, of how many planned"), _seeds),
        (Column("n", "test cases"), _count("n")),
    ]
    shown = [(column, {pick(row).text for row in rows} - {""}, pick) for column, pick in known]
    # what stands over the table already is a column only where rows differ in it
    return [(column, pick) for column, texts, pick in shown if len(texts) > (column.head in {"Seeds", "n"})]


def place(cells: Iterable[Cell], first: str) -> list[Cell]:
    """The same cells, the best and the second marked; what prints alike ranks alike."""
    cells = list(cells)
    numbers = [cell for cell in cells if isinstance(cell.value, float | int)]
    ordered = sorted(numbers, key=lambda cell: float(cell.value or 0.0), reverse=first == UP)
    tops = list(dict.fromkeys(cell.text.partition(" ± ")[0] for cell in ordered))[:2]
    marked = []
    for cell in cells:
        text = cell.text.partition(" ± ")[0]
        rank = tops.index(text) + 1 if text in tops and len(tops) > 1 else 0  # where all are alike, none is best
        marked.append(replace(cell, place=rank))
    return marked


_DICE = Figure("dice", 3, "dice_std")
_HD95 = Figure("hd95", 2, "hd95_std")
_DELTA = Figure("delta_dice", 3, "delta_dice_std", "+")


def _count(name: str) -> Pick:
    def pick(row: Row) -> Cell:
        value = getattr(row, name)
        return Cell() if value is None else Cell(f"{round(value, 2):g}", float(value))

    return pick


def _encoder(row: Row) -> Cell:
    if row.control:
        return Cell()
    text = row.encoder or ("no text" if row.text_track == "none" else row.text_track)
    return Cell(text, text)


def _seeds(row: Row) -> Cell:
    return Cell(seeds_text(row), row.seeds)


def _interval(low: str, high: str, sign: str = "") -> Pick:
    def pick(row: Row) -> Cell:
        ends = getattr(row, low), getattr(row, high)
        return Cell(typeset(between(*ends, sign)), ends[0])

    return pick
