"""PNG, JPEG, TIFF and BMP as arrays, where there is one way to read them."""

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
    """One channel [H, W] and its geometry, in pixels.

    Args:
        path: The file.
        dtype: Of an image, whose colours become gray; None: it is a mask, with the values of the file.

    Raises:
        DataError: It can be read in more than one way.
        OSError, ValueError, SyntaxError: Pillow cannot read it.
    """
    with Image.open(path) as image:
        if image.format == "PNG":
            image.verify()  # the checksums, which decoding does not look at; closes the file
    with Image.open(path) as image:
        _check_plain(image, path)
        if image.mode in _HIGH_DEPTH:
            array = np.asarray(image, dtype=dtype)
        else:
            array = np.asarray(image.convert("L") if dtype else _mask_values(image, path), dtype=dtype)
    crop = tuple((0, n) for n in array.shape)
    return array, Geometry(None, array.shape, crop, (1.0,) * array.ndim, "px", path)


def _check_plain(image: Image.Image, path: Path) -> None:
    """That there is one way to read an opened raster.

    Raises:
        DataError: A tag turns or mirrors it, which some programs follow and some do not; or it is a stack.
    """
    turn = image.getexif().get(ExifTags.Base.Orientation, 1)
    if turn not in (0, 1):
        raise DataError(
            f"{path}: stored turned or mirrored (EXIF orientation {turn}), which not every program follows.",
            "Save it upright and without that tag.",
            "dimensions",
        )
    pages = getattr(image, "n_frames", 1) if image.format == "TIFF" else 1
    if pages > 1:
        size = image.size
        image.seek(1)
        if image.size == size:  # a smaller page is a preview
            raise DataError(f"{path}: a stack of {pages} pages.", "Save each as a file.", "dimensions")
        image.seek(0)


def _mask_values(image: Image.Image, path: Path) -> NDArray[np.uint8]:
    """The values of an opened mask of 8 bits: grays; under a palette of colours, which is for the eye, its indices.

    Raises:
        DataError: What it shows is in its transparency.
    """
    gray = np.asarray(image.convert("L"))
    if image.has_transparency_data:
        seen = np.asarray(image.convert("RGBA").getchannel("A")) > 0
        if not seen.all() and not np.array_equal(seen, gray > 0):
            raise DataError(f"{path}: a mask that is partly transparent.", "Save it as grays alone.", "label_values")
    if image.mode != "P":
        return gray
    colours = np.asarray(image.convert("RGB"))
    return gray if (colours == colours[..., :1]).all() else np.asarray(image)
