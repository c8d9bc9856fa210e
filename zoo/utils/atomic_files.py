"""Files that are there whole or not at all; every file of ours that others read is written by this one way."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

from zoo.errors import RunError

UNFINISHED = ".part-"
"""What the name of a file begins with while it is written, and for good where its writer was killed."""


def write_atomically(
    path: Path,
    write: Callable[[Path], object],
    *,
    durable: bool = False,
    fix: str = "Free some space or choose another --out.",
) -> None:
    """Writes under a hidden name in the same folder, then renames: a reader sees all of it or nothing.

    Args:
        path: The file; its folder is made.
        write: Writes to the path that it is given, which has the suffix of `path`.
        durable: Whether this holds also where the machine stops: a file system may put a rename to disk before
            the content. For what is costly to have again.
        fix: What to do where it fails.

    Raises:
        RunError: The file cannot be written; what stood there stands.
    """
    temporary = path.with_name(f"{UNFINISHED}{os.getpid()}-{path.name}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            write(temporary)
            if durable:
                _to_disk(temporary)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise RunError(f"{path}: cannot be written: {error.strerror or error}.", fix) from error


def write_text(path: Path, text: str, *, durable: bool = False) -> None:
    """Writes a text in UTF-8, its line ends as they are; see `write_atomically`."""
    write_atomically(path, lambda temporary: temporary.write_text(text, encoding="utf-8", newline=""), durable=durable)


def is_disk_full(error: OSError) -> bool:
    """Whether the system refused to write for want of room, a person's quota included."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT)


def remove_unfinished(folder: Path) -> None:
    """Removes what killed writers left in a folder and below; for who knows that nobody else is writing there."""
    for left in folder.rglob(f"{UNFINISHED}*"):
        left.unlink(missing_ok=True)


def _to_disk(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
