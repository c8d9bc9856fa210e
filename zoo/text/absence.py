"""Whether a text says that there is nothing to segment. No torch here."""

from __future__ import annotations

import re

_NOTHING = re.compile(r"\s*no\b(?!\.)", re.IGNORECASE)


def says_nothing_is_there(text: str) -> bool:
    """Whether a caption that was written from a mask says that the mask is empty: its first word is "no".

    Example:
        >>> says_nothing_is_there("No tumor in the breast ultrasound image."), says_nothing_is_there("Nodule.")
        (True, False)
    """
    return _NOTHING.match(text) is not None
