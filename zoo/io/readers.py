"""How the files of a case become arrays. A set whose files are of another kind brings a reader of its own.

A reader is frozen and picklable, and its `repr` is part of the cache's key: what it does to a label is
never found under the key of one that does not.
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
    """NIfTI (3-D) and rasters: a file is a channel.

    Attributes:
        drop: Label values that become background: classes of the set that a protocol leaves out.
    """

    drop: tuple[int, ...] = ()

    def image(self, path: Path) -> tuple[NDArray[np.float32], Geometry]:
        """The channels of one of a case's images.

        Returns:
            float32 [C, *S] in RAS order, or [1, H, W]; and the geometry, crop of the whole array.

        Raises:
            DataError: Missing, unreadable, of other dimensions than due, or not finite.
        """
        array, geometry = read_image(path)
        return array[None], geometry

    def label(self, path: Path) -> tuple[NDArray[np.int32], Geometry]:
        """The label map, int32 [*S], laid out as `image` does it.

        Raises:
            DataError: As `image`, or a value is not a whole number.
        """
        array, geometry = read_label(path)
        return self.without_dropped(array), geometry

    def files(self, path: Path) -> list[Path]:
        """Every file that is read for this path of a case; the cache's key has all of them."""
        return [path]

    def without_dropped(self, array: NDArray[np.int32]) -> NDArray[np.int32]:
        """The label map with the values of `drop` made background."""
        return np.where(np.isin(array, self.drop), np.int32(0), array) if self.drop else array


@dataclass(frozen=True)
class ChannelsReader(Reader):
    """NIfTI whose channels lie along the fourth axis, as in the Medical Segmentation Decathlon.

    Attributes:
        channels: How many there are.
    """

    channels: int = 1

    def image(self, path: Path) -> tuple[NDArray[np.float32], Geometry]:
        """See `Reader.image`."""
        return read_channels(path, self.channels)
