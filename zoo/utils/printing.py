"""Plain output and log lines. Text of data sets, cards and configurations cannot change the terminal."""

from __future__ import annotations

import logging
import sys

from zoo.utils.safe_text import to_printable

KEPT = "\n\t"
"""Control characters that stay."""


class PrintableFormatter(logging.Formatter):
    """Formats a log record with escapes in place of control characters; line ends stay."""

    def format(self, record: logging.LogRecord) -> str:
        """Format a record."""
        return to_printable(super().format(record), KEPT)


def write_output(text: str) -> None:
    """Write text to standard output with escapes in place of control characters; line ends stay."""
    sys.stdout.write(to_printable(text, KEPT))


def write_error(line: str) -> None:
    """Write one line to standard error with escapes in place of control characters."""
    sys.stderr.write(f"{to_printable(line, KEPT)}\n")
