"""Published numbers beside our own numbers, in the same convention.

A published number is compared with ours only where both have the same convention. Where the test cases or the size of
the model differ, the line says so and has no difference.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from benchmarks.leaderboard.leaderboard import Leaderboard
from benchmarks.leaderboard.row import LeaderboardRow
from benchmarks.storage.scored import STATED
from benchmarks.tables.published_scores import NOT_READ, OURS, PublishedScore, published_on
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
        difference: Our Dice minus the published Dice, in percent points; None where they are not comparable.
        obstacles: Why the two numbers are not comparable.
    """

    published: PublishedScore
    ours: LeaderboardRow | None = None
    dice: float | None = None
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
        tuple(f"{model}: {NOT_READ[model]}" for model in models if model in NOT_READ),
        tuple(data for data in names if not published_on(data)),
    )


def _compare(number: PublishedScore, rows: Sequence[LeaderboardRow]) -> list[Line]:
    """Return one line per row of ours with the same method, or one line without a row."""
    mine = [row for row in rows if row.data == number.data and number.model and row.model == number.model]
    return [_line(number, row) for row in mine] or [Line(number)]


def _line(number: PublishedScore, row: LeaderboardRow) -> Line:
    column = OURS.get(number.convention)
    value = getattr(row, column) if column else None
    dice = None if value is None else 100 * float(value)
    obstacles = [row.reason] if row.status == "incomplete" else []
    if column is None:
        obstacles.append("its convention is not stated")
    if row.n != number.test:
        obstacles.append(f"{number.test} test images there, {row.n} here")
    if row.size != "published":
        obstacles.append(f"size {row.size}")
    if DataCard.of(DATA.get(number.data)).empty_masks:  # released code scores a correct empty prediction as 0 or 1
        obstacles.append("images without a lesion count there and are left out here")
    comparable = dice is not None and not obstacles
    return Line(number, row, dice, dice - number.dice if comparable and dice is not None else None, tuple(obstacles))


def to_markdown(comparison: Comparison) -> str:
    """Return the comparison as a Markdown table with its sources."""
    head = [
        "data",
        "method",
        "published",
        "convention",
        "split",
        "source",
        "ours",
        "row",
        "difference",
        "not comparable",
    ]
    lines = [f"| {' | '.join(map(escape_markdown, _cells(line)))} |" for line in comparison.lines]
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}", *lines, ""] if lines else []
    notes = list(dict.fromkeys(_cite(line.published) for line in comparison.lines))
    notes += [f"No published number is readable for {known}." for known in comparison.silent]
    notes += [f"No published number is listed for {data}." for data in comparison.unknown]
    if lines:
        notes.append(
            "Dice in percent. `difference`: ours minus published, where convention, test images and size agree."
        )
    return "\n".join([*lines, *(f"- {note}" for note in notes)]) + "\n"


def _cells(line: Line) -> list[str]:
    number = line.published
    spread = f" ± {number.std:.2f}" if number.std is not None else ""
    return [
        number.data,
        number.method + (f" ({number.note})" if number.note else ""),
        f"{number.dice:.2f}{spread}",
        number.convention,
        number.split,
        number.source.key,
        "" if line.dice is None else f"{line.dice:.2f}",
        "" if line.ours is None else line.ours.label,
        "" if line.difference is None else f"{line.difference:+.2f}",
        "; ".join(line.obstacles),
    ]


def _cite(number: PublishedScore) -> str:
    source = number.source
    return f"{source.key}{' (re-run by others)' if source.rerun else ''}: {source.citation}; {source.where}."
