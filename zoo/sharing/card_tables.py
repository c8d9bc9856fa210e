"""Tables and cells of model cards, in Markdown that shows a value as it is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any


def format_table(head: Iterable[Any], rows: Iterable[Iterable[Any]]) -> Iterator[str]:
    """Yield the lines of a table, and an empty line behind it."""
    cells = [format_cell(one) for one in head]
    yield f"| {' | '.join(cells)} |"
    yield f"|{'---|' * len(cells)}"
    for row in rows:
        yield f"| {' | '.join(format_cell(cell) for cell in row)} |"
    yield ""


def format_cell(value: Any) -> str:
    """Return a value as one cell: no line ends, no marks of Markdown or HTML.

    Example:
        >>> format_cell("two   words")
        'two words'
    """
    text = " ".join(str(value).split())
    return "".join(f"\\{letter}" if letter in "|<>[]*_" else letter for letter in text)


def format_score(value: float | None) -> str:
    """Return a score with four digits; empty where there is none."""
    return "" if value is None else f"{value:.4g}"


def name_text(step: str) -> str:
    """Return the text of a test by its step.

    Example:
        >>> name_text("test"), name_text("test-shuffled")
        ('true', 'shuffled')
    """
    return step.partition("-")[2] or "true"
