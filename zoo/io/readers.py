"""Readers turn the files of a case into arrays. A data set with another kind of files defines its own reader.

A reader is frozen and can be pickled. Its `repr` and its code are part of the cache's key, so that two readers with
different results never share an entry.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from zoo.io import read_channels, read_image, read_label
from zoo.types import Geometry


@dataclass(frozen=True)
class Reader:
    """Reader of NIfTI files (3-D) and pictures; each file is one channel.

    Attributes:
        drop: Label values that become background, for the classes that a protocol leaves out.

    Example:
        >>> Reader(drop=(3,)).without_dropped(np.array([1, 3], np.int32)).tolist()
        [1, 0]
    """

    drop: tuple[int, ...] = ()

    def image(self, path: Path) -> tuple[NDArray[np.float32], Geometry]:
        """Read the channels of one image file of a case.

        Returns:
            The array, float32 [C, *S] in RAS order or [C, H, W], and its geometry, whose crop is the full array.

        Raises:
            DataError: The file is missing or unreadable, has a wrong number of dimensions or channels, or contains a
                value that is not finite.
        """
        array, geometry = read_image(path)
        return array[None], geometry

    def label(self, path: Path) -> tuple[NDArray[np.int32], Geometry]:
        """Read the label file of a case.

        Returns:
            The label map, int32 [*S] with the axes of `image`, and its geometry.

        Raises:
            DataError: As `image`, or a value is not a whole number.
        """
        array, geometry = read_label(path)
        return self.without_dropped(array), geometry

    def files(self, path: Path) -> list[Path]:
        """List every file that is read for this path of a case. The cache's key contains all of them."""
        return [path]

    def without_dropped(self, array: NDArray[np.int32]) -> NDArray[np.int32]:
        """Return a label map in which the values of `drop` are background."""
        return np.where(np.isin(array, self.drop), np.int32(0), array) if self.drop else array


@dataclass(frozen=True)
class ChannelsReader(Reader):
    """Reader of NIfTI files whose fourth axis holds the channels, as in the Medical Segmentation Decathlon.

    Attributes:
        channels: The number of channels.
    """

    channels: int = 1

    def image(self, path: Path) -> tuple[NDArray[np.float32], Geometry]:
        """See `Reader.image`."""
        return read_channels(path, self.channels)
