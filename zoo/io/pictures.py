"""Pictures with one or three channels, and masks whose black and white are not exact."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from zoo.errors import DataError
from zoo.io import read_image, read_label
from zoo.io.raster import open_picture
from zoo.io.readers import Reader
from zoo.types import Geometry

SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp")
"""Suffixes of pictures, in the order in which they are looked for: the first one that exists is read."""

WHITE = 255
"""Value of the foreground in the result of `to_black_white`."""

_NOISE = 32  # away from edges, JPEG changes black and white by less than this (Kvasir-SEG: 0 to 7 and 248 to 255)
_EDGES = 64  # this number of edge pixels is allowed even where a tiny object has fewer white pixels


@dataclass(frozen=True)
class PictureReader(Reader):
    """Reader of pictures with one or three channels.

    Attributes:
        channels: 1 or 3, see `read_picture`.
        black_white: Read masks by `to_black_white`, which thresholds gray values. For a data set with one class
            whose masks are known to be JPEG files or to have smooth edges. Otherwise the values of the file are the
            labels, and an unexpected value is an error.
        gray_only: With one channel, refuse a colour picture instead of converting it to gray.
        colours: Colours of the classes, red * 65536 + green * 256 + blue, if the masks show classes by colour.
    """

    channels: int = 1
    black_white: bool = False
    gray_only: bool = False
    colours: tuple[int, ...] = ()

    def image(self, path: Path) -> tuple[NDArray[np.float32], Geometry]:
        """Read a picture, float32 [channels, H, W]; see `Reader.image`."""
        array, geometry = read_picture(path, self.channels)
        if self.gray_only and self.channels == 1 and is_coloured(path):
            raise DataError(f"{path}: a colour picture instead of one channel.", "Set the channels to 3.", "dimensions")
        return array, geometry

    def label(self, path: Path) -> tuple[NDArray[np.int32], Geometry]:
        """Read a mask, int32 [H, W]; see `Reader.label`.

        Raises:
            DataError: As `Reader.label`, or a mask that is read by colour has a colour without a class.
        """
        if self.colours:
            array, geometry = read_label(path, by_colour=True)
            unknown = np.setdiff1d(array, [0, *self.colours, *self.drop])
            if unknown.size:
                some = ", ".join(f"#{value:06x}" for value in unknown[:4].tolist())
                known = ", ".join(f"#{value:06x}" for value in self.colours)
                problem = f"{path}: colours without a class: {some}."
                raise DataError(problem, f"The classes are {known} on black.", "label_values")
            return self.without_dropped(array), geometry
        array, geometry = super().label(path)
        return (to_black_white(array, path) if self.black_white else array), geometry


def read_picture(path: Path, channels: int) -> tuple[NDArray[np.float32], Geometry]:
    """Read a picture with the number of channels of the data card.

    Args:
        path: A file that Pillow reads.
        channels: 1 (colour becomes gray) or 3 (red, green, blue; gray is repeated, transparency is dropped).

    Returns:
        The array, float32 [channels, H, W] with the values of the file, and its geometry in pixels.

    Raises:
        DataError: The file is missing, truncated or unreadable, or contains a value that is not finite.
    """
    gray, geometry = read_image(path)  # reports every fault of the file
    if channels == 1:
        return gray[None], geometry
    with open_picture(path) as picture:
        if picture.mode.startswith(
            ("I", "F")
        ):  # more than 8 bits per pixel: always gray, and RGB would clip the values
            return np.repeat(gray[None], channels, axis=0), geometry
        colours = np.asarray(picture.convert("RGB"), dtype=np.float32)
    return np.ascontiguousarray(np.moveaxis(colours, -1, 0)), geometry


def is_coloured(path: Path) -> bool:
    """Return whether the channels of a readable picture differ anywhere. Gray that is stored as RGB has no colour."""
    with open_picture(path) as picture:
        if picture.mode in ("1", "L", "LA") or picture.mode.startswith(("I", "F")):
            return False
        colours = np.asarray(picture.convert("RGB"))
    return bool((colours != colours[..., :1]).any())


def to_black_white(raw: NDArray[np.int32], path: Path) -> NDArray[np.int32]:
    """Convert a mask of one class to 0 and `WHITE`: from 0/1, from 0/255, with JPEG noise or with smooth edges.

    If the values are at most 1, each 1 is foreground. Otherwise each pixel above half of white is foreground, as in
    the public loaders of these data sets. A mask that could lose a region in this way is refused.

    Args:
        raw: [H, W], gray values of 8 bits.
        path: The file, for the error message.

    Returns:
        [H, W] of 0 and `WHITE`.

    Raises:
        DataError: One gray value covers more than half of the area of white, all grays cover more than white, or no
            pixel is white. Then the file contains several classes, a number per object, or a colour.
    """
    if raw.max(initial=0) <= 1:
        return raw * np.int32(WHITE)
    white = int(np.count_nonzero((raw >= WHITE - _NOISE) & (raw <= WHITE)))
    between = raw[((raw > _NOISE) & (raw < WHITE - _NOISE)) | (raw > WHITE)]
    grays, counts = np.unique(between if white else raw[raw > 0], return_counts=True)
    most = int(counts.max(initial=0))
    if not white or 2 * most > white or between.size > max(white, _EDGES):
        gray = int(grays[counts.argmax()])
        raise DataError(
            f"{path}: not a black-and-white mask: {most} pixels have the value {gray}, {white} are white.",
            "Save it as 0 and 255 (or 0 and 1).",
            "label_values",
        )
    return np.where(raw > WHITE // 2, np.int32(WHITE), np.int32(0))
