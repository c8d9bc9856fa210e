"""Whether there is room on a disk, asked before anything is written."""

from __future__ import annotations

import shutil
from pathlib import Path

from datamodules.acquire.sources import amount
from zoo.errors import DataError

_SPARE = 64 << 20


def need_space(folder: Path, needed: int, what: str) -> None:
    """That a folder's disk has room.

    Args:
        folder: Where it is to lie; the nearest folder above that exists is asked.
        needed: Bytes; a little more must be free.
        what: For the message.

    Raises:
        DataError: There is less.
    """
    place = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    free = shutil.disk_usage(place).free
    if free < needed + _SPARE:
        raise DataError(
            f"{folder}: {what} needs {amount(needed)}, but {amount(free)} are free on its disk.",
            "Make room, or choose another disk with --root DIR.",
        )
