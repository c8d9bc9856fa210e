"""PNG, JPEG, TIFF and BMP files as arrays. A file that programs read in different ways is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image

from zoo.errors import DataError
from zoo.types import Geometry

_HIGH_DEPTH = ("I", "F", "I;16", "I;16B", "I;16L")


def read_raster(path: Path, dtype: Any) -> tuple[NDArray[Any], Geometry]:
    """Read one channel [H, W] and its geometry in pixels.

    Args:
        path: The file.
        dtype: Type of an image; its colours become gray. None: the file is a mask and keeps its values.

    Raises:
        DataError: Programs read the file in different ways.
        OSError, ValueError, SyntaxError: Pillow cannot read the file.
    """
    with Image.open(path) as image:
        if image.format == "PNG":
            image.verify()  # decoding does not check the checksums; this closes the file
    with Image.open(path) as image:
        _check_plain(image, path)
        if image.mode in _HIGH_DEPTH:
            array = np.asarray(image, dtype=dtype)
        else:
            array = np.asarray(image.convert("L") if dtype else _mask_values(image, path), dtype=dtype)
    crop = tuple((0, n) for n in array.shape)
    return array, Geometry(None, array.shape, crop, (1.0,) * array.ndim, "px", path)


def _check_plain(image: Image.Image, path: Path) -> None:
    """Check that all programs read an opened picture in the same way.

    Raises:
        DataError: A tag turns or mirrors the picture, which only some programs do, or the file has several pages.
    """
    turn = image.getexif().get(ExifTags.Base.Orientation, 1)
    if turn not in (0, 1):
        raise DataError(
            f"{path}: stored turned or mirrored (EXIF orientation {turn}), which some programs ignore.",
            "Save it upright and without this tag.",
            "dimensions",
        )
    pages = getattr(image, "n_frames", 1) if image.format == "TIFF" else 1
    if pages > 1:
        size = image.size
        image.seek(1)
        if image.size == size:  # a smaller page is a preview
            raise DataError(f"{path}: a stack of {pages} pages.", "Save each page as a file.", "dimensions")
        image.seek(0)


def _mask_values(image: Image.Image, path: Path) -> NDArray[np.uint8]:
    """Read the values of an opened mask of 8 bits: its grays, or the indices where its palette has colours.

    Raises:
        DataError: The mask is in the transparency channel.
    """
    gray = np.asarray(image.convert("L"))
    if image.has_transparency_data:
        opaque = np.asarray(image.convert("RGBA").getchannel("A")) > 0
        if not opaque.all() and not np.array_equal(opaque, gray > 0):
            raise DataError(
                f"{path}: a mask that is partly transparent.",
                "Save it as gray values without transparency.",
                "label_values",
            )
    if image.mode != "P":
        return gray
    colours = np.asarray(image.convert("RGB"))
    return gray if (colours == colours[..., :1]).all() else np.asarray(image)
