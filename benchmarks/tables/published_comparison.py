"""Published numbers beside our own numbers, in the same convention.

A published number is compared with ours only where both have the same convention. Where the test cases or the size of
the model differ, the line says so and has no difference.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from benchmarks.leaderboard.leaderboard import Leaderboard
from benchmarks.leaderboard.row import LeaderboardRow
from benchmarks.storage.scored import STATED
from benchmarks.tables.published_scores import OURS, PublishedScore, describe_silence, published_on
from benchmarks.tables.writers import escape_markdown
from datamodules.index.card import DataCard
from zoo.registry import DATA


@dataclass(frozen=True, slots=True)
class Line:
    """A published number and, where there is one, our number in the same convention.

    Attributes:
        published: The published number.
        ours: Our row of the same method; None where there is none.
        dice: Our Dice in percent, in the convention of the published number.
        hd95: Our HD95, where the source has one; `hd95_unit` of our row is its unit.
        difference: Our Dice minus the published Dice, in percent points; None where they are not comparable.
        obstacles: Why the two numbers are not comparable.
    """

    published: PublishedScore
    ours: LeaderboardRow | None = None
    dice: float | None = None
    hd95: float | None = None
    difference: float | None = None
    obstacles: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Comparison:
    """The published numbers for one benchmark.

    Attributes:
        lines: One line per published number and row of ours.
        silent: What is known of each of our models without a readable number.
        unknown: The data sets of the benchmark for which no published number is listed.
    """

    lines: tuple[Line, ...]
    silent: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return plain Python, for `--format json`."""
        lines = [
            asdict(line.published)
            | {"ours": line.dice, "row": line.ours.label if line.ours else None}
            | {"ours_hd95": line.hd95, "ours_hd95_unit": line.ours.hd95_unit if line.ours else None}
            | {"difference": line.difference, "obstacles": list(line.obstacles)}
            for line in self.lines
        ]
        return {"lines": lines, "silent": list(self.silent), "unknown": list(self.unknown)}


def compare_with_published(leaderboard: Leaderboard) -> Comparison:
    """Compare the rows of a leaderboard with the published numbers for their data sets."""
    rows = [row for row in leaderboard.rows if row.dice is not None and not row.control and not row.variant]
    rows = [row for row in rows if STATED not in row.mark]  # no row of ours, whatever its name is
    names = sorted({row.data for row in leaderboard.rows})
    lines = [line for data in names for number in published_on(data) for line in _compare(number, rows)]
    models = sorted({row.model for row in rows})
    return Comparison(
        tuple(lines),
        tuple(f"{model}: {describe_silence(model)}" for model in models if describe_silence(model)),
        tuple(data for data in names if not published_on(data)),
    )


def _compare(number: PublishedScore, rows: Sequence[LeaderboardRow]) -> list[Line]:
    """Return one line per row of ours with the same method, or one line without a row."""
    mine = [row for row in rows if row.data == number.data and number.model and row.model == number.model]
    return [compare_row(number, row) for row in mine] or [Line(number)]


def compare_row(number: PublishedScore, row: LeaderboardRow) -> Line:
    """Put a row of ours beside a published number, in its convention."""
    column = OURS.get(number.convention)
    value = getattr(row, column) if column and number.dice is not None else None
    dice = None if value is None else 100 * float(value)
    obstacles = tuple(_list_obstacles(number, row))
    difference = None if dice is None or number.dice is None or obstacles else dice - number.dice
    # HD95 has no difference, because sources do not say which value an empty prediction has.
    return Line(number, row, dice, None if number.hd95 is None else row.hd95, difference, obstacles)


def _list_obstacles(number: PublishedScore, row: LeaderboardRow) -> Iterator[str]:
    """Say why a published number and a row of ours are not comparable."""
    if row.status == "incomplete":
        yield row.reason
    if number.convention not in OURS:
        yield "its convention is not stated"
    if number.test is None:
        yield "its number of test images is not stated"
    elif row.n != number.test:
        yield f"{number.test} test images there, {row.n} here"
    if number.folds != row.folds:
        yield f"{_say_folds(number.folds)} there, {_say_folds(row.folds)} here"
    if row.size != "published":
        yield f"size {row.size}"
    if number.network:
        yield f"{number.network} there"
    # Released code scores a correct empty prediction as 0 or 1.
    if number.data in DATA and DataCard.of(DATA.get(number.data)).empty_masks:
        yield "images without a lesion count there and are left out here"


def _say_folds(folds: int | None) -> str:
    return f"{folds} folds" if folds else "one split"


HEAD = (
    *("data", "method", "published", "convention", "split", "source", "read in", "IoU", "HD95", "NSD"),
    *("ours", "our HD95", "row", "difference", "not comparable"),
)
"""The columns of the comparison."""


def to_markdown(comparison: Comparison) -> str:
    """Return the comparison as a Markdown table with its sources."""
    lines = [f"| {' | '.join(map(escape_markdown, list_cells(line)))} |" for line in comparison.lines]
    lines = [f"| {' | '.join(HEAD)} |", f"|{'---|' * len(HEAD)}", *lines, ""] if lines else []
    notes = list(dict.fromkeys(_cite(line.published) for line in comparison.lines))
    notes += [f"No published number is readable for {known}." for known in comparison.silent]
    notes += [f"No published number is listed for {data}." for data in comparison.unknown]
    if lines:
        notes.append(
            "Dice, IoU and NSD in percent. `ours`: our Dice in the convention of the published number. `difference`: "
            "ours minus published, where convention, test images and size agree. HD95 is a mean over images or cases."
        )
    return "\n".join([*lines, *(f"- {note}" for note in notes)]) + "\n"


def list_cells(line: Line) -> list[str]:
    """Return the cells of a line, below `HEAD`."""
    number = line.published
    return [
        number.data,
        number.method + (f" ({number.note})" if number.note else ""),
        _percent(number.dice) + (f" ± {number.std:.2f}" if number.std is not None else ""),
        number.convention,
        number.split,
        number.source.key,
        number.source.read_in,
        _percent(number.iou),
        _distance(number.hd95, number.hd95_unit),
        "" if number.nsd is None else f"{number.nsd:.1f} (tolerance {number.nsd_tolerance})",
        _percent(line.dice),
        "" if line.ours is None else _distance(line.hd95, line.ours.hd95_unit),
        "" if line.ours is None else line.ours.label,
        "" if line.difference is None else f"{line.difference:+.2f}",
        "; ".join(line.obstacles),
    ]


def _percent(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def _distance(value: float | None, unit: str) -> str:
    """Return a distance with its unit, which a source may not state."""
    if value is None:
        return ""
    return f"{value:.2f} {unit}" if unit in ("px", "mm") else f"{value:.2f} (unit not stated)"


def _cite(number: PublishedScore) -> str:
    source = number.source
    return f"{source.key} (read in: {source.read_in}): {source.citation}; {source.where}."
