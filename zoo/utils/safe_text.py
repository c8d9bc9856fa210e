"""Foreign text, made safe for a terminal and for a file name.

Titles, case ids, captions and file names come from data sets, cards and configurations. They may contain escape
sequences of a terminal and line ends. `zoo.utils.printing` prints text, `zoo.utils.csv_text` writes cells.
"""

from __future__ import annotations

import unicodedata

LONGEST_NAME = 200
"""Most bytes of a file name that `to_file_name` returns. File systems allow 255, and suffixes follow."""

_UNPRINTABLE = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Unicode categories: control and format characters, halves of a pair, ends of lines and paragraphs."""

_JOINERS = "\u00ad\u200c\u200d"  # soft hyphen and joiners, which words of some languages need


def is_printable(text: str) -> bool:
    r"""Return whether text has no character that `to_printable` would change.

    Example:
        >>> is_printable("left lung"), is_printable("left\nlung")
        (True, False)
    """
    return to_printable(text) == text


def to_printable(text: str, keep: str = "") -> str:
    r"""Return text in which each character that changes a terminal is written as `\uXXXX`.

    Such characters are control characters (as the escape character of a terminal), changes of the writing direction,
    and separators of lines. `\uXXXX` is also valid in JSON and in YAML.

    Args:
        text: The text.
        keep: Control characters that stay, such as a line end.

    Example:
        >>> to_printable("left\x1b[31m lung")
        'left\\u001b[31m lung'
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(one if one in keep or _is_safe(one) else _escape(one) for one in text)


def to_file_name(text: str) -> str:
    """Return a name for a file: text as it is where it is safe, else changed and with a hash of the text.

    Different texts have different names. A name has no path separator, no unprintable character and at most
    `LONGEST_NAME` bytes.

    Args:
        text: For example the id of a case.

    Example:
        >>> to_file_name("case_01"), to_file_name("../a")
        ('case_01', '_.._a-61b4c98b')
    """
    safe = "".join("_" if one in "/\\\0" or not _is_safe(one) else one for one in text)
    if safe.startswith((".", "-")) or not safe.strip():
        safe = f"_{safe}"
    encoded = safe.encode("utf-8", errors="replace")
    if safe == text and len(encoded) <= LONGEST_NAME:
        return text
    import hashlib  # the help of a command needs no hash

    digest = hashlib.sha256(text.encode("utf-8", errors="surrogatepass")).hexdigest()[:8]
    kept = encoded[: LONGEST_NAME - len(digest) - 1].decode("utf-8", errors="ignore")
    return f"{kept}-{digest}"


def _is_safe(character: str) -> bool:
    return character in _JOINERS or unicodedata.category(character) not in _UNPRINTABLE


def _escape(character: str) -> str:
    return character.encode("utf-16-be", errors="surrogatepass").hex(" ", 2).replace(" ", r"\u").join((r"\u", ""))
