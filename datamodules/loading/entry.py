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
        self._image_sums: dict[int, int] = {}

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
            sums = [self._sum(kind, *place) for kind, place in case["arrays"].items()]
            return bool(case["checksum"] == checksum(name, case["arrays"], case["geometry"], sums))
        except (KeyError, ValueError, TypeError, AttributeError):
            return False

    def _sum(self, kind: str, offset: int, shape: list[int], dtype: str) -> int:
        """The checksum of an array; an image, which several queries may share, is read once."""
        if kind != "image":
            return array_sum(self._view(offset, shape, dtype))
        if offset not in self._image_sums:
            self._image_sums[offset] = array_sum(self._view(offset, shape, dtype))
        return self._image_sums[offset]

    def _view(self, offset: int, shape: list[int], dtype: str) -> NDArray[Any]:
        count = int(np.prod(shape))
        return np.frombuffer(self._block, dtype, count, offset if count else 0).reshape(shape)


def array_sum(array: NDArray[Any]) -> int:
    """Return the CRC-32 of the bytes of an array."""
    return zlib.crc32(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data) if array.size else 0


def checksum(name: str, places: Any, geometry: Any, sums: Sequence[int]) -> int:
    """Return the CRC-32 of a case: of its name, the positions and the checksums of its arrays, and its geometry."""
    return zlib.crc32(json.dumps([name, places, geometry, list(sums)], sort_keys=True).encode())


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
