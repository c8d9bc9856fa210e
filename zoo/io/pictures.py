"""Pictures of one or three channels, and masks that are meant to be black and white but are not quite."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from zoo.errors import DataError
from zoo.io import read_image
from zoo.io.readers import Reader
from zoo.types import Geometry

SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp")
"""What Pillow reads losslessly or as camera pictures; where a name comes with two, the first wins."""

WHITE = 255
"""Foreground of `to_black_white`."""

_NOISE = 32  # JPEG moves black and white by less than this away from an edge (Kvasir-SEG: 0 to 7 and 248 to 255)
_EDGES = 64  # smoothed edges of so few pixels may outnumber the white of a tiny object


@dataclass(frozen=True)
class PictureReader(Reader):
    """Pictures of one or three channels.

    Attributes:
        channels: 1 or 3, see `read_picture`.
        black_white: Read a mask by `to_black_white`, which thresholds gray values. Only for a set of one class
            whose masks are known to be JPEGs or to have smoothed edges; else the file's values are the labels,
            and an unexpected one is a finding.
        gray_only: Refuse a coloured picture where there is one channel, instead of making it gray.
    """

    channels: int = 1
    black_white: bool = False
    gray_only: bool = False

    def image(self, path: Path) -> tuple[NDArray[np.float32], Geometry]:
        """float32 [channels, H, W], see `Reader.image`."""
        array, geometry = read_picture(path, self.channels)
        if self.gray_only and self.channels == 1 and is_coloured(path):
            raise DataError(
                f"{path}: a colour picture where one channel is due.", "Set the channels to 3.", "dimensions"
            )
        return array, geometry

    def label(self, path: Path) -> tuple[NDArray[np.int32], Geometry]:
        """int32 [H, W], see `Reader.label`."""
        array, geometry = super().label(path)
        return (to_black_white(array, path) if self.black_white else array), geometry


def read_picture(path: Path, channels: int) -> tuple[NDArray[np.float32], Geometry]:
    """A picture as the set's card counts its channels.

    Args:
        path: A file that Pillow reads.
        channels: 1 (colour becomes gray) or 3 (red, green, blue; gray is repeated, transparency dropped).

    Returns:
        float32 [channels, H, W] with the file's values, and its geometry in pixels.

    Raises:
        DataError: Missing, truncated or unreadable, or not finite.
    """
    gray, geometry = read_image(path)  # names every fault of the file
    if channels == 1:
        return gray[None], geometry
    with Image.open(path) as picture:
        if picture.mode.startswith(("I", "F")):  # more than 8 bits a pixel are always gray, and RGB would clip them
            return np.repeat(gray[None], channels, axis=0), geometry
        colours = np.asarray(picture.convert("RGB"), dtype=np.float32)
    return np.ascontiguousarray(np.moveaxis(colours, -1, 0)), geometry


def is_coloured(path: Path) -> bool:
    """Whether the channels of a readable picture differ anywhere: gray stored as RGB is not coloured."""
    with Image.open(path) as picture:
        if picture.mode in ("1", "L", "LA") or picture.mode.startswith(("I", "F")):
            return False
        colours = np.asarray(picture.convert("RGB"))
    return bool((colours != colours[..., :1]).any())


def to_black_white(raw: NDArray[np.int32], path: Path) -> NDArray[np.int32]:
    """A mask of one class, whatever its maker did to it: 0/1, 0/255, JPEG noise, smoothed edges.

    Values of at most 1 are taken as they are; else a pixel above half of white is foreground, as in
    the public loaders of these sets. What would lose a region silently is refused.

    Args:
        raw: [H, W], gray values of 8 bits.
        path: The file, for the message.

    Returns:
        [H, W] of 0 and `WHITE`.

    Raises:
        DataError: One gray value covers more than half of what white does, grays cover more than white, or
            there is no white at all: several classes or a number for each object in one file, or a colour.
    """
    if raw.max(initial=0) <= 1:
        return raw * np.int32(WHITE)
    white = int(np.count_nonzero((raw >= WHITE - _NOISE) & (raw <= WHITE)))
    strange = raw[((raw > _NOISE) & (raw < WHITE - _NOISE)) | (raw > WHITE)]
    grays, counts = np.unique(strange if white else raw[raw > 0], return_counts=True)
    most = int(counts.max(initial=0))
    if not white or 2 * most > white or strange.size > max(white, _EDGES):
        gray = int(grays[counts.argmax()])
        raise DataError(
            f"{path}: no black-and-white mask: {most} pixels have the value {gray}, {white} are white.",
            "Save it as 0 and 255 (or 0 and 1).",
            "label_values",
        )
    return np.where(raw > WHITE // 2, np.int32(WHITE), np.int32(0))
