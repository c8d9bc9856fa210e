"""Volumes in npz files of numpy: `imgs`, `gts` and `spacing`, without an affine. No pickle is loaded."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TypeVar, cast

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from datamodules.files.pickled_dict import Plain, parse_pickled_dict
from zoo.errors import DataError
from zoo.io.readers import Reader
from zoo.types import Geometry
from zoo.utils.limits import get_limit, raise_limit
from zoo.utils.open_files import lacks_open_files

T = TypeVar("T")

SPACING_ORDERS = ("xyz", "zyx")
"""Whether `spacing` begins with the last or with the first axis of the arrays."""

_AGAIN = "Download the file again."
_UNREADABLE = (
    *(OSError, EOFError, ValueError, zlib.error, zipfile.BadZipFile, MemoryError, OverflowError),
    *(RuntimeError, NotImplementedError),  # an encrypted member; a compression that zipfile does not know
)
_BRIGHTEST = 255


@dataclass(frozen=True)
class NpzReader(Reader):
    """Reader of npz files with arrays [z, y, x]; they become [x, y, z], with an affine that has the spacing alone.

    The files do not say which end of an axis is left or up, so the affine has no directions that a text could mean.

    Attributes:
        spacing_order: One of `SPACING_ORDERS`.
        classes: SHA-256 of the list of classes that labels are compared with, so that another list prepares them again.
    """

    spacing_order: str = "xyz"
    classes: str = ""

    def image(self, path: Path) -> tuple[NDArray[np.float32], Geometry]:
        """See `Reader.image`.

        Raises:
            DataError: Also if a value is not from 0 to 255, or `spacing` is not three positive numbers.
        """
        array = _read_volume(path, "imgs")
        if not np.isfinite(array).all():
            raise DataError(f"{path}: imgs has values that are NaN or infinite.", _AGAIN, "not_finite")
        low, high = float(array.min()), float(array.max())
        if low < 0 or high > _BRIGHTEST:
            problem = f"{path}: imgs has values from {low:g} to {high:g}, but the release scales images to 0 to 255."
            raise DataError(problem, "Get the file of the release, unchanged.", "unreadable")
        spacing = self._spacing(path)
        affine = np.diag([*spacing, 1.0]).tolist()
        volume = np.ascontiguousarray(array.T, np.float32)
        crop = tuple((0, size) for size in volume.shape)
        rows = tuple(tuple(row) for row in affine)
        return volume[None], Geometry(rows, volume.shape, crop, spacing, "mm", path)

    def label(self, path: Path) -> tuple[NDArray[np.int32], Geometry]:
        """See `Reader.label`; a label file has no spacing."""
        values = read_values(path).astype(np.int32)
        crop = tuple((0, size) for size in values.shape)
        return self.without_dropped(values), Geometry(None, values.shape, crop, (1.0, 1.0, 1.0), "mm", path)

    def _spacing(self, path: Path) -> tuple[float, ...]:
        """The voxel size on the axes x, y, z."""
        stored = read_member(path, "spacing", lambda file: _read_array(path, "spacing", file))
        found = np.asarray(stored, float).reshape(-1) if stored.dtype.kind in "iuf" else np.zeros(0)
        if found.shape != (3,) or not np.isfinite(found).all() or not (found > 0).all():
            problem = f"{path}: spacing is not three positive numbers ({str(stored.tolist())[:60]})."
            raise DataError(problem, _AGAIN, "affine_unusable")
        steps = found if self.spacing_order == "xyz" else found[::-1]
        return tuple(float(step) for step in steps)


def read_values(path: Path) -> NDArray[np.int32] | NDArray[np.uint8] | NDArray[np.uint16]:
    """Read the label map `gts` of a file, in the smallest type that holds its values.

    Returns:
        The values with the axes of `NpzReader.image`.

    Raises:
        DataError: The file or the array cannot be read, or a value is not a whole number from 0.
    """
    array = _read_volume(path, "gts")
    if array.dtype.kind == "f" and not np.array_equal(array, np.rint(array)):
        raise DataError(f"{path}: gts has values that are not whole numbers.", _AGAIN, "label_not_whole")
    low, high = int(array.min()), int(array.max())
    if low < 0 or high >= 2**31:
        raise DataError(f"{path}: gts has values from {low} to {high}.", _AGAIN, "label_values")
    smallest = np.min_scalar_type(high)
    turned = np.ascontiguousarray(array.T, smallest if smallest.itemsize < 4 else np.int32)
    return cast("NDArray[np.int32]", turned)


def read_texts(path: Path) -> dict[str, Plain]:
    """Read `text_prompts` of a file: a pickled dictionary, of which nothing is run.

    Raises:
        DataError: The file has no such dictionary, or the pickle has more than texts, whole numbers and truth values.
    """
    name = "text_prompts"
    most = get_limit("text_mb") * 1_000_000

    def read(file: IO[bytes]) -> bytes:
        if _read_header(file)[2].kind != "O":
            raise ValueError("it holds no Python object")
        content = file.read(most + 1)
        if len(content) > most:
            raise ValueError(f"it is too large. {raise_limit('text_mb', 2 * most // 1_000_000)}")
        return content

    content = read_member(path, name, read)
    try:
        return parse_pickled_dict(content)
    except ValueError as error:
        problem = f"{path}: {name} is refused: {error}."
        raise DataError(problem, "Get the file of the release; a pickle that does more may harm.") from error


def read_member(path: Path, name: str, read: Callable[[IO[bytes]], T]) -> T:
    """Read one member of an npz file to its end, where its checksum is compared.

    Args:
        path: The file.
        name: The member without ".npy".
        read: Reads the opened member.

    Raises:
        DataError: The file or the member does not exist or cannot be read.
    """
    if not path.is_file():
        raise DataError(f"{path}: no such file.", "Get it again, or give the right folder.", "missing_file")
    try:
        with zipfile.ZipFile(path) as archive:
            if f"{name}.npy" not in archive.namelist():
                raise DataError(f"{path}: no array `{name}` in it.", "Get the file of the release.", "unreadable")
            with archive.open(f"{name}.npy") as file:
                found = read(file)
                if file.read(1):
                    raise ValueError(f"{name} has bytes behind its array")
                return found
    except _UNREADABLE as error:
        if lacks_open_files(error):
            raise
        problem = " ".join(str(error).split()) or type(error).__name__
        raise DataError(f"{path}: truncated or unreadable ({name}: {problem}).", _AGAIN, "unreadable") from error


def _read_volume(path: Path, name: str) -> NDArray[np.generic]:
    """Read an array of three axes of numbers."""
    array = read_member(path, name, lambda file: _read_array(path, name, file))
    if array.ndim != 3 or not array.size:
        raise DataError(f"{path}: {name} has the shape {array.shape}, not three axes.", _AGAIN, "dimensions")
    if array.dtype.kind not in "biuf":
        raise DataError(f"{path}: {name} has values that are not real numbers ({array.dtype}).", _AGAIN, "unreadable")
    return array


def _read_array(path: Path, name: str, file: IO[bytes]) -> NDArray[np.generic]:
    """Read an array of numbers; its size is checked before its values are read."""
    shape, fortran, dtype = _read_header(file)
    if dtype.hasobject:
        raise ValueError("it holds Python objects, which are not loaded")
    count = int(np.prod(shape, dtype=object))
    if count > get_limit("voxels"):
        problem = f"{path}: {name} has {count} values, more than {get_limit('voxels')}."
        raise DataError(problem, raise_limit("voxels", count), "unreadable")
    content = bytearray(count * dtype.itemsize)
    view, done = memoryview(content), 0
    while done < len(content):
        chunk = file.read(min(1 << 24, len(content) - done))
        if not chunk:
            raise EOFError(f"it ends after {done} of {len(content)} bytes")
        view[done : done + len(chunk)] = chunk
        done += len(chunk)
    flat = np.frombuffer(content, dtype)
    return flat.reshape(shape[::-1]).T if fortran else flat.reshape(shape)


def _read_header(file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[np.generic]]:
    """Read the header of an npy member: shape, whether the first axis is the fastest one, type."""
    version = npy.read_magic(file)
    readers = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
    if version not in readers:
        raise ValueError(f"version {version} of the npy format")
    shape, fortran, dtype = readers[version](file)
    return shape, fortran, dtype
