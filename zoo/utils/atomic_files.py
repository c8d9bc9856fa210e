"""Writes a file or a folder completely or not at all. Whatever another program reads is written in this way."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from zoo.errors import RunError

UNFINISHED = ".part-"
"""Prefix of the name of a file or folder while it is written. It remains if the writer is killed."""


def write_atomically(
    path: Path,
    write: Callable[[Path], object],
    *,
    durable: bool = False,
    fix: str = "Free some space or choose another --out.",
) -> None:
    """Write under a hidden name in the same folder, then rename: a reader sees the whole file or no file.

    Args:
        path: The file; its folder is made.
        write: Function that writes to the path that it gets. The path has the suffix of `path`.
        durable: Whether the file must also survive a crash of the machine. A file system may store the new name
            before the content. For files that are expensive to compute again.
        fix: The second half of the error text.

    Raises:
        RunError: The file cannot be written; an earlier file of this name is unchanged.
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
    """Write a text in UTF-8 with unchanged line ends; see `write_atomically`."""
    write_atomically(path, lambda temporary: temporary.write_text(text, encoding="utf-8", newline=""), durable=durable)


@contextmanager
def new_folder(target: Path, fix: str = "Name another folder.") -> Iterator[Path]:
    """Make a folder completely or not at all: yields a hidden folder beside it, which gets its name at the end.

    Args:
        target: The folder. There may be an empty one of this name.
        fix: The second half of the error text where the folder cannot be written.

    Raises:
        RunError: The folder has files already, or cannot be written.
    """
    if target.is_symlink() or (target.exists() and (not target.is_dir() or any(target.iterdir()))):
        raise RunError(f"{target}: there is something already.", "Name a new folder.")
    whole = target.absolute()
    unfinished = whole.with_name(f"{UNFINISHED}{os.getpid()}-{whole.name}")
    try:
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True)
        yield unfinished
        if target.is_dir():
            target.rmdir()
        unfinished.rename(target)
    except OSError as error:
        raise RunError(f"{target}: cannot be written: {error.strerror or error}.", fix) from error
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def is_disk_full(error: OSError) -> bool:
    """Return whether the disk is full, or the user's quota is used up."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT)


def remove_unfinished(folder: Path) -> None:
    """Remove the unfinished files of killed writers in a folder and below. No other writer may be active there.

    Unfinished folders stay: they are of another command, which may still write.
    """
    for left in folder.rglob(f"{UNFINISHED}*"):
        if not left.is_dir():
            left.unlink(missing_ok=True)


def _to_disk(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
