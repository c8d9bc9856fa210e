"""Output to a terminal. Text of data sets, cards and configurations cannot change the terminal or its markup."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

from zoo.utils.safe_text import to_printable

_KEPT = "\n\t"


class SafeConsole(Console):
    """A console that prints text as it is: no markup, no emoji codes, and escapes in place of control characters.

    Colours come from `rich.text.Text` with a style.

    Args:
        **options: Arguments of `rich.console.Console`.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"markup": False, "emoji": False, "highlight": False, **options})

    def render_str(self, text: str, **options: Any) -> Text:
        """Convert text; the width of a column is measured after it."""
        return super().render_str(to_printable(text, _KEPT), **options)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Render anything; the control codes of rich itself stay."""
        for segment in super().render(renderable, options):
            text, style, control = segment
            yield segment if control else Segment(to_printable(text, _KEPT), style)


class PrintableFormatter(logging.Formatter):
    """Formats a log record with escapes in place of control characters; line ends stay."""

    def format(self, record: logging.LogRecord) -> str:
        """Format a record."""
        return to_printable(super().format(record), _KEPT)


def write_output(text: str) -> None:
    """Write text to standard output with escapes in place of control characters; line ends stay."""
    sys.stdout.write(to_printable(text, _KEPT))


def write_error(line: str) -> None:
    """Write one line to standard error with escapes in place of control characters."""
    sys.stderr.write(f"{to_printable(line, _KEPT)}\n")
