"""The tables of a block as they are read: heads, cells and notes, for Markdown and LaTeX alike.

A block has one sheet by default, the leaderboard; its statistics, the texts and the classes have their own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from benchmarks.leaderboard.leaderboard import Block
from benchmarks.leaderboard.ranking import ALPHA, Standing
from benchmarks.leaderboard.row import Row, names_of
from benchmarks.leaderboard.statistics import FEWEST, LEVEL, RESAMPLES

FIGURES = ("Dice global", "HD95", "Missed", "Spurious")
DELTA = "Δ Dice"
WIDTH = f"{LEVEL:.0%} CI".replace("%", " %")
TESTS = {
    "wilcoxon": "two-sided Wilcoxon signed-rank test (zeros by Pratt)",
    "permutation": "two-sided permutation test of the mean difference",
}


class Cell(NamedTuple):
    """A cell: its text, "best" or "second" or neither of its column, and whether it bears the mark of the test."""

    text: str
    place: str = ""
    marked: bool = False


@dataclass(frozen=True, slots=True)
class Sheet:
    """One table to read.

    Attributes:
        title: What it shows.
        caption: The same with what a reader needs to know of the numbers, for a paper.
        heads: Names of the columns.
        names: How many columns from the left are words; the others are numbers.
        groups: Lines of cells, in groups that a rule parts.
        controls: First cells of the lines that are controls.
        notes: What stands under it: a title and its lines.
    """

    title: str
    caption: str
    heads: tuple[str, ...]
    names: int
    groups: tuple[tuple[tuple[Cell, ...], ...], ...]
    controls: frozenset[str] = frozenset()
    notes: tuple[tuple[str, tuple[str, ...]], ...] = ()


def sheets(block: Block, stats: bool = False, per_class: bool = False) -> list[Sheet]:
    """The sheets of a block.

    Args:
        block: The block.
        stats: With the statistics of the ranking and the texts.
        per_class: With the Dice of each class.
    """
    found = [leaderboard(block)]
    if stats:
        found += [statistics(block)] if block.ranking.standings else []
        found += [texts(block)] if any(row.text_track != "none" for row in (*block.ranked, *block.unranked)) else []
    return found + ([classes(block)] if per_class else [])


def leaderboard(block: Block) -> Sheet:
    """The rows with their figures: ranked ones, unranked ones, controls."""
    unit = f" ({block.unit})" if block.unit else ""
    names = any(row.text_gain_names is not None for row in block.rows)
    gains = (*("Text gain", "Blank gain"), *(["Names gain"] if names else [])) if block.track != "none" else ()
    figures = tuple(f"{head}{unit}" if head == "HD95" else head for head in FIGURES)
    delta = (DELTA,) if block.variants else ()
    best_dice = _places((row.dice for row in block.ranked), 3)
    best_hd95 = _places((row.hd95 for row in block.ranked if block.unit), 2, lower=True)
    worse = {row for row, one in zip(block.ranked, block.ranking.standings, strict=False) if one.worse}

    def line(row: Row) -> tuple[Cell, ...]:
        ranked = row in block.ranked
        dice, hd95 = spread(row.dice, row.dice_std, 3), spread(row.hd95, row.hd95_std, 2)
        hd95 += f" {row.hd95_unit}" if hd95 and not block.unit else ""
        cells = [Cell(row.label), Cell(row.encoder), Cell(row.text_track), Cell(whole(row.n)), Cell(seeds_text(row))]
        cells.append(Cell(dice, best_dice(row.dice) if ranked else "", row in worse))
        cells += [Cell(spread(row.delta_dice, row.delta_dice_std, 3, "+"))] if block.variants else []
        cells += [
            Cell(fixed(row.dice_global, 3)),
            Cell(hd95, best_hd95(row.hd95) if ranked else ""),
            Cell(short(row.missed)),
            Cell(short(row.spurious)),
        ]
        values = (row.text_gain, row.text_gain_blank, row.text_gain_names)[: len(gains)]
        cells += [Cell(fixed(value, 3, "+")) for value in values]
        return (*cells, Cell(fixed(None if row.params is None else row.params / 1e6, 2)))

    named = names_of(block.rows)
    notes = {
        "Variants": [f"{named[row]}: {row.legend}" for row in block.rows if row.variant],
        "Notes": [f"{named[row]}: {row.reason}" for row in block.rows if row.reason],
        "Warnings": list(block.warnings),
    }
    legend = f" Best in bold, second underlined. {mark_legend(block)}" if block.ranked else ""
    return Sheet(
        block.title,
        f"{block.title}. Dice as a fraction of 1, mean and standard deviation over seeds.{legend}",
        ("Model", "Encoder", "Text", "n", "Seeds", "Dice", *delta, *figures, *gains, "Params (M)"),
        3,
        tuple(tuple(map(line, part)) for part in block.parts),
        frozenset(row.label for row in block.controls),
        tuple((title, tuple(lines)) for title, lines in notes.items() if lines),
    )


def statistics(block: Block) -> Sheet:
    """How sure the ranking is."""
    ranking = block.ranking
    notes = [
        f"{WIDTH}: percentile interval of {RESAMPLES:,} bootstrap samples of the subjects, the same for all rows; "
        "seeds averaged, an image is no sample of its own.",
        f"Δ best, p, effect: against {ranking.standings[0].label}; {TESTS[ranking.test]} over subjects, corrected by "
        "Holm over the rows; effect: matched-pairs rank-biserial correlation, -1 where worse on every subject.",
        "Wins: share of subjects on which a row beats another, ties half, averaged over the others. Rank kept: share "
        "of the bootstrap samples in which the row has its rank.",
    ]
    if ranking.tau is not None:
        notes.append(
            f"Kendall's tau between this ranking and that of a bootstrap sample: {ranking.tau:.2f} on average."
        )
    pairs = {one.pairs for one in ranking.standings if one.pairs is not None}
    if len(ranking.standings) > 1 and min(pairs, default=0) < FEWEST:
        notes.append(f"{min(pairs, default=0)} subjects: too few for an interval or a test ({FEWEST} are needed).")
    heads = ("Model", "Rank", "Dice", WIDTH, "Δ best", f"Δ {WIDTH}", "p", "p (Holm)")
    return Sheet(
        f"{block.title}: statistics",
        f"{block.title}: statistics of the ranking over subjects. {mark_legend(block)}".strip(),
        (*heads, "Effect", "Wins", "Mean rank", "Rank kept"),
        1,
        (tuple(map(_standing, ranking.standings)),),
        notes=(("Legend", tuple(notes)),),
    )


def _standing(one: Standing) -> tuple[Cell, ...]:
    cells = (
        *(one.label, str(one.rank), fixed(one.dice, 3), between(one.dice_low, one.dice_high)),
        *(fixed(one.delta, 3, "+"), between(one.delta_low, one.delta_high, "+"), p_value(one.p), p_value(one.p_holm)),
        *(fixed(one.effect, 2, "+"), percent(one.win_rate), fixed(one.mean_rank, 2), percent(one.rank_share)),
    )
    return tuple(Cell(text, marked=place == 7 and one.worse) for place, text in enumerate(cells))


def texts(block: Block) -> Sheet:
    """What each text is worth to the models that read it."""
    rows = [row for row in (*block.ranked, *block.unranked) if row.text_track != "none"]
    names = names_of(rows)

    def line(row: Row) -> tuple[Cell, ...]:
        values = (row.dice, row.dice_shuffled, row.dice_blank, row.dice_names)
        gain = (fixed(row.text_gain, 3, "+"), between(row.text_gain_low, row.text_gain_high, "+"))
        return (Cell(names[row]), *(Cell(fixed(value, 3)) for value in values), *map(Cell, gain))

    return Sheet(
        f"{block.title}: Dice with other text",
        f"{block.title}: Dice of the same checkpoints with the true text, another's, none, and class names alone.",
        ("Model", "True", "Shuffled", "Blank", "Names", "Text gain", WIDTH),
        1,
        (tuple(map(line, rows)),),
    )


def classes(block: Block) -> Sheet:
    """The Dice of each class, for every row that has scores."""
    rows = [row for row in block.rows if row.per_class and not row.variant]
    named = list(dict.fromkeys(one.label for row in block.ranked or rows for one in row.per_class))
    of_class = {(row, one.label): one for row in rows for one in row.per_class}
    best = {
        name: _places((of_class[row, name].dice for row in block.ranked if (row, name) in of_class), 3)
        for name in named
    }
    names = names_of(rows)

    def line(row: Row) -> tuple[Cell, ...]:
        cells = [Cell(names[row])]
        for name in named:
            one = of_class.get((row, name))
            place = best[name](one.dice) if one and row in block.ranked else ""
            cells.append(Cell(spread(one.dice, one.dice_std, 3), place) if one else Cell(""))
        return tuple(cells)

    return Sheet(
        f"{block.title}: Dice of each class",
        f"{block.title}: Dice of each class, mean and standard deviation over seeds.",
        ("Model", *named),
        1,
        tuple(tuple(line(row) for row in part if row in rows) for part in block.parts),
        frozenset(row.label for row in block.controls),
    )


def mark_legend(block: Block) -> str:
    """What the mark of the test says, empty where no row bears it."""
    if not any(one.worse for one in block.ranking.standings):
        return ""
    test = {"wilcoxon": "Wilcoxon signed-rank test", "permutation": "permutation test"}[block.ranking.test]
    return f"†: differs from the best, p < {ALPHA} ({test} over subjects, corrected by Holm)."


def _places(values: Iterable[float | None], digits: int, lower: bool = False) -> Callable[[float | None], str]:
    """What says "best" and "second" of a value: what prints alike ranks alike, where all do none is best.

    Args:
        values: The column.
        digits: As it is printed.
        lower: Whether less is better.
    """
    ordered = sorted({fixed(value, digits) for value in values if value is not None}, key=float, reverse=not lower)
    known = dict(zip(ordered[:2], ("best", "second"), strict=True)) if len(ordered) > 1 else {}
    return lambda value: known.get(fixed(value, digits), "")


def seeds_text(row: Row) -> str:
    """How many seeds; for an incomplete row how many of how many; over folds, how many of those."""
    if row.seeds is None:
        return ""
    seeds = str(row.seeds) if row.seeds == row.seeds_planned else f"{row.seeds}/{row.seeds_planned}"
    return f"{seeds} x {row.folds} folds" if row.folds else seeds


def spread(mean: float | None, deviation: float | None, digits: int, sign: str = "") -> str:
    """A mean with its deviation where it has one."""
    return fixed(mean, digits, sign) + (f" ± {deviation:.{digits}f}" if deviation is not None else "")


def fixed(value: float | None, digits: int, sign: str = "") -> str:
    """A number with so many digits, nothing for None."""
    return "" if value is None else f"{round(value, digits) + 0.0:{sign}.{digits}f}"  # + 0.0: never "-0.000"


def between(low: float | None, high: float | None, sign: str = "") -> str:
    """An interval."""
    return "" if low is None or high is None else f"[{fixed(low, 3, sign)}, {fixed(high, 3, sign)}]"


def percent(value: float | None) -> str:
    """A share."""
    return "" if value is None else f"{100 * value:.0f} %"


def p_value(value: float | None) -> str:
    """A p value, never 0."""
    return "" if value is None else "< 0.001" if value < 0.001 else f"{value:.3f}"


def short(value: float | None) -> str:
    """A count that may be a mean."""
    return "" if value is None else f"{round(value, 2):g}"


def whole(value: int | None) -> str:
    """A count."""
    return "" if value is None else str(value)


def lines_of(sheet: Sheet) -> Sequence[tuple[Cell, ...]]:
    """All lines of a sheet."""
    return [line for group in sheet.groups for line in group]
