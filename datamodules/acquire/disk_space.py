"""Check the free space of a disk before anything is written."""

from __future__ import annotations

import shutil
from pathlib import Path

from zoo.errors import DataError
from zoo.utils.format import format_bytes

_RESERVE = 64 << 20  # bytes


def check_space(folder: Path, needed: int, what: str) -> None:
    """Check that the disk of a folder has enough free space.

    Args:
        folder: The folder to write to. If it does not exist, the nearest existing folder above it is checked.
        needed: Number of bytes to write; a reserve of 64 MiB must be free in addition.
        what: What needs the space, for the error message.

    Raises:
        DataError: There is not enough free space.
    """
    existing = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    free = shutil.disk_usage(existing).free
    if free < needed + _RESERVE:
        raise DataError(
            f"{folder}: {what} needs {format_bytes(needed)}, but {format_bytes(free)} are free on its disk.",
            "Free some space, or choose another disk with --root DIR.",
        )
