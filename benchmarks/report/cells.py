"""Tables as a page shows them: columns with their direction, cells with what they sort by, the best two marked."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields
from statistics import fmean, stdev

from benchmarks.rows import Row

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
    """

    text: str = ""
    value: float | str | None = None
    place: int = 0

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
    text = f"{round(value, digits) + 0.0:{sign}.{digits}f}".replace("-", "\N{MINUS SIGN}")
    return Cell(text + (f" ± {deviation:.{digits}f}" if deviation is not None else ""), round(value, 6) + 0.0)


def seeds_cell(values: Sequence[float | None], digits: int = 3) -> Cell:
    """Mean ± standard deviation (ddof 1) over seeds; empty where one has no value."""
    known = [value for value in values if value is not None]
    if not known or len(known) < len(values):
        return Cell()
    return number(fmean(known), digits, stdev(known) if len(known) > 1 else None)


def chosen(rows: Sequence[Row], unit: str) -> list[Chosen]:
    """The columns of the leaderboard: those with anything in them, further ones of `Row` included.

    Args:
        rows: All rows of a block.
        unit: Of its distances.
    """
    distance = f" ({unit})" if unit else ""
    known: list[Chosen] = [
        (Column("Text encoder", "of what reads text", False), _encoder),
        (Column("Dice", "mean over cases within a class, then over classes; ± over seeds", True, UP, True), _DICE),
        *_intervals(rows),
        *_further(rows),
        (Column(f"HD95{distance}", "95th percentile Hausdorff distance; ± over seeds", True, DOWN, bool(unit)), _HD95),
        (Column("NSD", "normalised surface distance", True, UP, True), Figure("nsd")),
        (Column("Text gain", "Dice minus that with shuffled text", True, UP), Figure("text_gain", sign="+")),
        (Column("Blank gain", "Dice minus that with no text", True, UP), Figure("text_gain_blank", sign="+")),
        (Column("Dice, global", "tp, fp, fn pooled over cases", True, UP, True), Figure("dice_global")),
        (Column("Missed", "objects not found, a seed"), _count("missed")),
        (Column("Spurious", "objects found where none is, a seed"), _count("spurious")),
        (Column("Δ Dice", "of a rung: minus its full method", True, UP), _DELTA),
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
        marked.append(Cell(cell.text, cell.value, rank))
    return marked


_DICE = Figure("dice", 3, "dice_std")
_HD95 = Figure("hd95", 2, "hd95_std")
_DELTA = Figure("delta_dice", 3, "delta_dice_std", "+")

_KNOWN = frozenset(
    {"model", "size", "encoder", "data", "text_track", "status", "reason", "mark", "rung", "rung_about", "rung_changes"}
    | {"budget", "split_hash", "prompt_hash", "metric_version", "n", "seeds", "seeds_planned", "delta_seeds"}
    | {"dice", "dice_std", "dice_global", "hd95", "hd95_std", "hd95_unit", "hd95_pooled", "nsd", "assd"}
    | {"missed", "spurious", "params", "params_trainable"}
    | {"text_gain", "text_gain_blank", "delta_dice", "delta_dice_std"}
)
"""Fields of `Row` that have a column of their own here, or none."""


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
    if row.seeds is None:
        return Cell()
    return Cell(str(row.seeds) if row.seeds == row.seeds_planned else f"{row.seeds}/{row.seeds_planned}", row.seeds)


def _intervals(rows: Sequence[Row]) -> list[Chosen]:
    """A column for each pair of fields `<figure>_ci_low` and `<figure>_ci_high`."""
    names = [one.name.removesuffix("_ci_low") for one in fields(Row) if one.name.endswith("_ci_low")]

    def pick(name: str) -> Pick:
        def cell(row: Row) -> Cell:
            low, high = (number(getattr(row, f"{name}_ci_{end}", None)) for end in ("low", "high"))
            return Cell(f"{low.text} to {high.text}", low.value) if low.text and high.text else Cell()

        return cell

    return [(Column(f"{_words(name)} interval", "confidence interval", True, UP), pick(name)) for name in names]


def _further(rows: Sequence[Row]) -> list[Chosen]:
    """Numbers that `Row` has beside those known here: p values, effects, ranks, win rates."""
    columns = []
    for one in fields(Row):
        name = one.name
        if name in _KNOWN or name.endswith(("_ci_low", "_ci_high")):
            continue
        if all(isinstance(getattr(row, name), int | float | None) for row in rows):
            columns.append((Column(_words(name), name), _plain(name)))
    return columns


def _plain(name: str) -> Pick:
    probability = name.startswith("p_") or name.endswith("_p") or name == "p"

    def pick(row: Row) -> Cell:
        value = getattr(row, name)
        if isinstance(value, bool) or value is None:
            return Cell("yes" if value else "", float(value) if value else None)
        if probability and value < 0.001:
            return Cell("< 0.001", float(value))
        return Cell(str(value), float(value)) if isinstance(value, int) else number(value)

    return pick


def _words(name: str) -> str:
    text = name.replace("_", " ")
    return text[:1].upper() + text[1:]
