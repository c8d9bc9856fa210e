"""Plain output. Text of data sets, cards and configurations cannot change the terminal."""

from __future__ import annotations

import sys

from zoo.utils.safe_text import to_printable

KEPT = "\n\t"
"""Control characters that stay."""


def write_output(text: str) -> None:
    """Write text to standard output with escapes in place of control characters; line ends stay."""
    sys.stdout.write(to_printable(text, KEPT))


def write_error(line: str) -> None:
    """Write one line to standard error with escapes in place of control characters."""
    sys.stderr.write(f"{to_printable(line, KEPT)}\n")
