"""How the files of a case become arrays. A set whose files are of another kind brings a reader of its own.

A reader is frozen and picklable, and its `repr` is part of the cache's key: what it does to a label is
never found under the key of one that does not.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from nibabel.affines import voxel_sizes
from nibabel.orientations import apply_orientation, axcodes2ornt, inv_ornt_aff, io_orientation, ornt_transform
from numpy.typing import NDArray

from zoo.errors import DataError
from zoo.io import read_image, read_label
from zoo.types import Geometry

_RAS = axcodes2ornt(("R", "A", "S"))


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
        if not path.is_file():
            raise DataError(f"{path}: no such file.", "Fetch it again, or name the right folder with --data.root.")
        try:
            file: Any = nib.load(path)
            shape = tuple(int(n) for n in file.shape)
            array = np.asarray(file.dataobj, dtype=np.float32) if len(shape) == 4 else None
        except Exception as error:  # nibabel, gzip and numpy each have their own for a broken file
            problem = " ".join(str(error).split()) or type(error).__name__
            raise DataError(f"{path}: truncated or unreadable ({problem}).", "Fetch the file again.") from error
        if array is None or shape[3] != self.channels:
            raise DataError(f"{path}: shape {shape}, but {self.channels} channels are due.", "Fetch the file again.")
        bad = int((~np.isfinite(array)).sum())
        if bad:
            raise DataError(f"{path}: {bad} values are NaN or infinite.", "Mend or remove the case.")
        turned, geometry = to_ras(array, np.asarray(file.affine, dtype=np.float64), path)
        return np.ascontiguousarray(np.moveaxis(turned, 3, 0)), geometry


def to_ras(array: NDArray[Any], affine: NDArray[np.float64], path: Path) -> tuple[NDArray[Any], Geometry]:
    """An array with its first three axes in RAS order, and its geometry.

    Args:
        array: [X, Y, Z, ...] in the file's own order.
        affine: 4x4, from voxels to RAS millimetres.
        path: The file, for the geometry and messages.

    Raises:
        DataError: The affine is unusable.
    """
    spacing = voxel_sizes(affine)
    if not np.isfinite(affine).all() or not (spacing > 0).all():
        raise DataError(f"{path}: the header has no usable affine.", "Mend the header or fetch the file again.")
    turn = ornt_transform(io_orientation(affine), _RAS)
    if np.isnan(turn).any():
        raise DataError(f"{path}: the affine does not tell the axes apart.", "Mend the header.")
    shape = array.shape[:3]
    turned = apply_orientation(array, turn)
    steps = voxel_sizes(affine @ inv_ornt_aff(turn, shape))
    rows = tuple(tuple(float(value) for value in row) for row in affine)
    crop = tuple((0, int(n)) for n in turned.shape[:3])
    return np.ascontiguousarray(turned), Geometry(rows, shape, crop, tuple(float(s) for s in steps), "mm", path)
