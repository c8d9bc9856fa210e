"""SHA-256 hashes in hex: the same content gives the same hash on every machine."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import Any


def hash_bytes(chunks: Iterable[bytes | memoryview]) -> str:
    """Return the hash of the bytes of all chunks, one after the other.

    Example:
        >>> hash_bytes([b"ab", b"c"]) == hash_bytes([b"abc"]) == hash_text("abc")
        True
    """
    state = hashlib.sha256()
    for chunk in chunks:
        state.update(chunk)
    return state.hexdigest()


def hash_text(text: str) -> str:
    """Return the hash of a text in UTF-8.

    Example:
        >>> hash_text("liver")[:8]
        'ebaf48a9'
    """
    return hash_bytes([text.encode("utf-8")])


def hash_lines(lines: Iterable[str]) -> str:
    r"""Return the hash of lines in their order; there is no line end after the last line.

    Example:
        >>> hash_lines(["a", "b"]) == hash_text("a\nb")
        True
    """
    return hash_text("\n".join(lines))


def hash_json(content: Any) -> str:
    """Return the hash of plain Python content as canonical JSON: sorted keys, no spaces.

    Example:
        >>> hash_json({"a": 1, "b": 2}) == hash_json({"b": 2, "a": 1})
        True
    """
    return hash_text(json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False))
