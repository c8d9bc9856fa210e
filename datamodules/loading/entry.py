"""One entry of the cache: a table of cases, and one block of arrays that is mapped into memory."""

from __future__ import annotations

import json
import mmap
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zoo.preprocessing.apply import PreparedCase
from zoo.types import Geometry

TABLE, BLOCK = "table.json", "arrays.bin"
"""The files of an entry."""

ARRAYS = ("image", "label", "native", "foreground")
"""The arrays of a case; only the image is in every case."""


class Entry:
    """An opened entry: its cases as views of the memory map.

    Args:
        folder: The folder of the entry.

    Raises:
        OSError, ValueError, KeyError, TypeError: The entry does not exist or is damaged.
    """

    def __init__(self, folder: Path) -> None:
        table = json.loads((folder / TABLE).read_text(encoding="utf-8"))
        self._cases: dict[str, Any] = table["cases"]
        with (folder / BLOCK).open("rb") as file:
            self._block = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        if len(self._block) != table["bytes"]:
            raise ValueError(f"{folder}: the block has {len(self._block)} bytes instead of {table['bytes']}")

    def __getitem__(self, name: str) -> PreparedCase:
        """Return a case. Its arrays are read-only and are read from disk when they are used."""
        case = self._cases[name]
        arrays = {name: self._view(*place) for name, place in case["arrays"].items()}
        optional = {name: arrays.get(name) for name in ARRAYS[1:]}
        return PreparedCase(image=arrays["image"], geometry=_geometry(case["geometry"]), **optional)

    def is_intact(self, name: str) -> bool:
        """Return whether the arrays and the geometry of a case have the checksum that they were written with."""
        try:
            case = self._cases[name]
            arrays = [self._view(*place) for place in case["arrays"].values()]
            return bool(case["checksum"] == checksum(name, case["arrays"], case["geometry"], arrays))
        except (KeyError, ValueError, TypeError, AttributeError):
            return False

    def _view(self, offset: int, shape: list[int], dtype: str) -> NDArray[Any]:
        count = int(np.prod(shape))
        return np.frombuffer(self._block, dtype, count, offset if count else 0).reshape(shape)


def checksum(name: str, places: Any, geometry: Any, arrays: Sequence[NDArray[Any]]) -> int:
    """Return the CRC-32 of a case: of its name, the positions of its arrays, its geometry, and the arrays."""
    found = zlib.crc32(json.dumps([name, places, geometry], sort_keys=True).encode())
    for array in (one for one in arrays if one.size):
        found = zlib.crc32(array.reshape(-1).view(np.uint8).data, found)
    return found


def _geometry(content: dict[str, Any]) -> Geometry:
    affine = content["affine"]
    return Geometry(
        affine=None if affine is None else tuple(tuple(row) for row in affine),
        shape=tuple(content["shape"]),
        crop=tuple((start, stop) for start, stop in content["crop"]),
        spacing=tuple(content["spacing"]),
        unit=content["unit"],
        source=Path(content["source"]) if content["source"] else None,
    )
