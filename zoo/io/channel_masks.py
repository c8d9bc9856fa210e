"""Read a NIfTI file of many masks whose first axis is the mask, in little memory.

A file of 30 masks of a CT has 3 GB of voxels. It is read slice by slice, and kept with one bit per voxel and mask.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import IO, Any, cast

import nibabel as nib
import numpy as np
from nibabel.filebasedimages import ImageFileError
from numpy.typing import NDArray

from zoo.errors import DataError

Places = tuple[NDArray[np.int64], NDArray[np.uint8]]

_AGAIN = "Download the file again."


class ChannelMasks:
    """The masks of one file, with the axes of the file.

    Args:
        bits: uint8 [B, X, Y, Z]: bit i % 8, from the highest, of byte i // 8 is mask i.
        count: Number of masks.
        further: Per mask, the places of its voxels with a value other than 1, in the array [Z, X, Y] made flat, and
            these values: (int64 [n], uint8 [n]).

    Example:
        >>> masks = ChannelMasks(np.packbits(np.eye(3, dtype=bool).reshape(3, 3, 1, 1), axis=0), 3)
        >>> [int(np.argmax(masks.mask(index))) for index in range(3)]
        [0, 1, 2]
    """

    def __init__(
        self, bits: NDArray[np.uint8], count: int, further: Mapping[int, Places] = MappingProxyType({})
    ) -> None:
        self._bits, self.count, self._further = bits, count, further

    def mask(self, index: int) -> NDArray[np.uint8]:
        """Mask number `index`, uint8 [X, Y, Z] of 0 and 1."""
        place, bit = divmod(index, 8)
        mask: NDArray[np.uint8] = (self._bits[place] >> (7 - bit)) & np.uint8(1)
        return mask

    def values(self, index: int) -> NDArray[np.uint8]:
        """The values of mask number `index` as the file stores them, modulo 256: uint8 [X, Y, Z]."""
        values = self.mask(index)
        places, found = self._further.get(index, (np.empty(0, np.int64), np.empty(0, np.uint8)))
        slices, rows, columns = np.unravel_index(places, (values.shape[2], *values.shape[:2]))
        values[rows, columns, slices] = found
        return values


def read_channel_masks(path: Path, count: int, shape: tuple[int, ...]) -> ChannelMasks:
    """Read the masks of a file; every value but 0 belongs to a mask. The affine of the file is not read.

    Args:
        path: A NIfTI file of the shape (count, *shape), or of the shape `shape` if it holds one mask.
        count: Number of masks that the file must have.
        shape: Shape of the image that the masks belong to, with the axes of its file.

    Raises:
        DataError: The file is missing or unreadable, or has another shape.
    """
    if not path.is_file():
        raise DataError(f"{path}: no such file.", "Get it again, or give the right folder.", "missing_file")
    try:
        image = cast(Any, nib.load(path))
        found = tuple(int(size) for size in image.shape)
        if found != (count, *shape) and not (count == 1 and found == shape):
            problem = f"{path}: shape {found} instead of {(count, *shape)}, findings by voxels of the image."
            fix = "The findings must be the first axis. Get the image and the masks of one release."
            raise DataError(problem, fix, "shape_mismatch")
        slope, shift = image.dataobj.slope, image.dataobj.inter
        if image.get_data_dtype().kind not in "biuf" or (slope, shift) != (1, 0):
            raise DataError(f"{path}: masks must be stored as plain numbers, without a scale.", _AGAIN)
        with cast("IO[bytes]", gzip.open(path) if path.name.lower().endswith(".gz") else path.open("rb")) as file:
            file.seek(int(image.dataobj.offset))
            bits, further = _read_bits(file, image.get_data_dtype(), count, shape)
            return ChannelMasks(bits, count, further)
    except (OSError, EOFError, ValueError, zlib.error, ImageFileError) as error:
        problem = " ".join(str(error).split()) or type(error).__name__
        raise DataError(f"{path}: truncated or unreadable ({problem}).", _AGAIN, "unreadable") from error


def _read_bits(
    file: IO[bytes], dtype: np.dtype[Any], count: int, shape: tuple[int, ...]
) -> tuple[NDArray[np.uint8], dict[int, Places]]:
    """Read slice by slice along the last axis, which is the slowest in the file."""
    further: dict[int, list[Places]] = {}
    bits = np.empty((-(-count // 8), *shape), np.uint8)
    size = count * shape[0] * shape[1] * dtype.itemsize
    for number in range(shape[2]):
        content = file.read(size)
        if len(content) < size:
            raise EOFError(f"the file ends in slice {number} of {shape[2]}")
        values = np.frombuffer(content, dtype).reshape((count, *shape[:2]), order="F")
        filled = values != 0
        bits[..., number] = np.packbits(filled, axis=0)
        for mask in np.flatnonzero((filled & (values != 1)).any(axis=(1, 2))).tolist():
            there = np.flatnonzero(filled[mask] & (values[mask] != 1))
            numbers = values[mask].ravel()[there].astype(np.uint8)
            further.setdefault(mask, []).append((there + number * shape[0] * shape[1], numbers))
    return bits, {mask: _join(parts) for mask, parts in further.items()}


def _join(parts: Sequence[Places]) -> Places:
    places, values = zip(*parts, strict=True)
    return np.concatenate(places), np.concatenate(values)
