"""Seals: hashes that a JSON file holds of itself and of the files beside it.

A file whose content differs from its seal was damaged or edited, or is the file of another run. A seal finds damage and
mistakes, not fraud: whoever wants to deceive can write a new seal. No torch here.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from zoo.utils.hashing import hash_json

SEAL = "seal"
"""Key of a JSON file for the hash of its other entries."""

FILES = "files"
"""Key of a JSON file for the SHA-256 of files beside it, by name."""


def add_seal(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return the content with the seal of its other entries.

    Example:
        >>> is_intact(add_seal({"dice": 0.5})), is_intact(add_seal({"dice": 0.5}) | {"dice": 0.9})
        (True, False)
    """
    return {**content, SEAL: _hash_others(content)}


def is_intact(content: Mapping[str, Any]) -> bool:
    """Return whether the content has a seal that its other entries match."""
    return content.get(SEAL) == _hash_others(content)


def _hash_others(content: Mapping[str, Any]) -> str:
    others = {key: value for key, value in content.items() if key != SEAL}
    return hash_json(json.loads(json.dumps(others)))  # as a file gives it back: tuples are lists, keys are strings


def hash_file(path: Path) -> str:
    """Return the SHA-256 of a file in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def hash_file_once(path: Path) -> str:
    """Return the SHA-256 of a large file; the process reads it again only if its size, times or inode have changed."""
    state = path.stat()
    return _hash_state(path.resolve(), state.st_ino, state.st_size, state.st_mtime_ns, state.st_ctime_ns)


@lru_cache(64)
def _hash_state(path: Path, *state: int) -> str:
    return hash_file(path)
