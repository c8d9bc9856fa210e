"""Text as the page prints it."""

from __future__ import annotations

import re

_HASH = re.compile(r"\b([0-9a-f]{12})[0-9a-f]{28,52}\b")
"""A commit or a SHA-256, and the letters of it that are printed."""

_MINUS = re.compile(r"(?<![\w.)-])-(?=\d)")
"""The minus of a number, and no hyphen within a name."""


def shorten_hashes(text: str) -> str:
    """Return the text with each hash cut to its first 12 letters.

    Example:
        >>> shorten_hashes("commit " + "0123456789abcdef" * 4)
        'commit 0123456789ab'
    """
    return _HASH.sub(r"\g<1>", text)


def typeset(text: str) -> str:
    r"""Return the text with true minus signs before numbers, and with a deviation that stays in one line.

    Example:
        >>> typeset("[-0.5, 0.5]") == "[\N{MINUS SIGN}0.5, 0.5]"
        True
    """
    return _MINUS.sub("\N{MINUS SIGN}", text).replace(" ± ", " ±\N{NO-BREAK SPACE}")
