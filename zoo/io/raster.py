"""PNG, JPEG, TIFF and BMP files as arrays. A file that programs read in different ways is refused."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image

from zoo.errors import DataError
from zoo.types import Geometry
from zoo.utils.limits import get_limit, raise_limit

warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)  # our limit is lower, and is an error

_FORMATS = ["PNG", "JPEG", "TIFF", "BMP", "DIB", "GIF", "PPM", "WEBP", "JPEG2000"]  # EPS would run Ghostscript
_HIGH_DEPTH = ("I", "F", "I;16", "I;16B", "I;16L")
_GRAY = ("1", "L", "LA")
_JPEG_NOISE = 32  # largest difference that JPEG makes between the channels of a black-and-white mask, in gray levels


@contextmanager
def open_picture(path: Path, formats: list[str] | None = None) -> Iterator[Image.Image]:
    """Open a picture whose header does not claim more pixels than the limit; nothing is decoded yet.

    Args:
        path: The file.
        formats: The formats that are accepted, by the content of the file; None for those of pictures.

    Raises:
        DataError: The picture is too large.
        OSError, ValueError, SyntaxError: Pillow cannot read the file.
    """
    most = get_limit("pixels")
    if Image.MAX_IMAGE_PIXELS and most > Image.MAX_IMAGE_PIXELS:  # the user has raised the limit
        Image.MAX_IMAGE_PIXELS = most
    try:
        opened = Image.open(path, formats=formats or _FORMATS)
    except Image.DecompressionBombError as error:
        [pixels] = re.findall(r"\((\d+) pixels\)", str(error))
        raise _too_large(path, int(pixels)) from error
    with opened as image:
        if image.width * image.height > most:
            raise _too_large(path, image.width * image.height)
        yield image


def _too_large(path: Path, pixels: int) -> DataError:
    problem = f"{path}: a picture of {pixels} pixels, more than {get_limit('pixels')}."
    return DataError(problem, raise_limit("pixels", pixels))


def read_raster(path: Path, dtype: Any, by_colour: bool = False) -> tuple[NDArray[Any], Geometry]:
    """Read one channel [H, W] and its geometry in pixels.

    Args:
        path: The file.
        dtype: Type of an image; its colours become gray. None: the file is a mask and keeps its values.
        by_colour: Of a mask, the value of a pixel is its colour, red * 65536 + green * 256 + blue.

    Raises:
        DataError: Programs read the file in different ways, or it is too large.
        OSError, ValueError, SyntaxError: Pillow cannot read the file.
    """
    with open_picture(path) as image:
        if image.format == "PNG":
            image.verify()  # decoding does not check the checksums; this closes the file
    with open_picture(path) as image:
        _check_plain(image, path)
        if by_colour:
            array = _colours(image)
        elif image.mode in _HIGH_DEPTH:
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


def _colours(image: Image.Image) -> NDArray[np.int32]:
    """Read red * 65536 + green * 256 + blue per pixel; black is 0."""
    channels = np.asarray(image.convert("RGB"), dtype=np.int32)
    return (channels[..., 0] << 16) + (channels[..., 1] << 8) + channels[..., 2]


def _mask_values(image: Image.Image, path: Path) -> NDArray[np.uint8]:
    """Read the values of an opened mask of 8 bits.

    If the palette of the file contains a colour, the values are the indices, for all pixels. Otherwise they are the
    grays.

    Raises:
        DataError: The mask is in colour, where two classes may have one gray, or in the transparency channel.
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
    if image.mode == "P":
        entries = np.array(image.getpalette("RGB"), dtype=np.uint8).reshape(-1, 3)
        return gray if (entries == entries[:, :1]).all() else np.asarray(image)
    if image.mode not in _GRAY:
        colours = np.asarray(image.convert("RGB"))
        spread = np.ptp(colours, axis=-1)
        if spread.max(initial=0) > (_JPEG_NOISE if image.format == "JPEG" else 0):
            red, green, blue = colours[np.unravel_index(int(spread.argmax()), spread.shape)]
            raise DataError(
                f"{path}: a mask in colour, for instance #{red:02x}{green:02x}{blue:02x}.",
                "Name the classes by their colours (`classes: {lesion: '#ff0000'}`), or save the mask in gray.",
                "label_values",
            )
    return gray
