"""Reads one new image, in any of the formats of the zoo, to the array that a reader of a data set gives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from zoo.errors import DataError
from zoo.io.dicom import SeriesReader, list_slices
from zoo.io.image import is_nifti, read_channels, read_image, to_ras
from zoo.io.itk import ITK_SUFFIXES, is_itk
from zoo.io.pictures import SUFFIXES, read_picture
from zoo.io.same_grid import check_same_voxels
from zoo.types import Geometry

Scan = str | Path | NDArray[np.generic] | Sequence[str | Path]
"""An image: a file, a folder with a DICOM series, one file per channel, or an array."""

NO_FILE = Path("array")
"""What messages call an array."""


def read_scan(
    image: Scan, channels: int, spatial_dims: int, spacing: Sequence[float] | None = None
) -> tuple[NDArray[np.float32], Geometry]:
    """Read an image.

    Args:
        image: A NIfTI, NRRD or MetaImage file, a picture, a folder with the DICOM files of one series, a sequence with
            one file per channel, or an array [*S] or [C, *S]. The axes of a volume in an array point to the right, to
            the front and upwards (RAS).
        channels: The number of channels of the model.
        spatial_dims: 2 or 3.
        spacing: Voxel size of an array per axis, in the unit of the training; 1 by default. A file has its own.

    Returns:
        float32 [C, *S] in RAS order or [C, H, W], and the geometry, whose crop is the full array.

    Raises:
        DataError: A file is missing or unreadable, or the image has another number of axes or channels.
    """
    if isinstance(image, np.ndarray):
        found = _of_array(image, channels, spatial_dims, spacing)
    else:
        if spacing is not None:
            raise DataError(f"{image}: a file has its own spacing.", "Leave out `spacing`.")
        found = _of_files([Path(one).expanduser() for one in _list(image)], channels)
    array, geometry = found
    if array.ndim - 1 != spatial_dims or len(array) != channels:
        raise DataError(
            f"{geometry.source or NO_FILE}: {array.ndim - 1}D with {_count(len(array))}, but the model was trained on "
            f"{spatial_dims}D images with {_count(channels)}.",
            "Give an image of that kind.",
            "dimensions",
        )
    return array, geometry


def _list(image: str | Path | Sequence[str | Path]) -> list[str | Path]:
    return [image] if isinstance(image, str | Path) else list(image)


def _count(channels: int) -> str:
    return "1 channel" if channels == 1 else f"{channels} channels"


def _of_files(paths: Sequence[Path], channels: int) -> tuple[NDArray[np.float32], Geometry]:
    if not paths:
        raise DataError("An empty list instead of an image.", "Give one file per channel.")
    read = [_of_file(path, channels if len(paths) == 1 else 1) for path in paths]
    geometry = read[0][1]
    for path, (_, other) in zip(paths[1:], read[1:], strict=True):
        check_same_voxels(path, other, paths[0], geometry)
    return np.concatenate([array for array, _ in read]), geometry


def _of_file(path: Path, channels: int) -> tuple[NDArray[np.float32], Geometry]:
    if path.is_dir():
        slices = list_slices(path)
        if not slices:
            raise DataError(f"{path}: a folder without DICOM files.", "Give a file, or the folder of a DICOM series.")
        return SeriesReader().image(slices[0])
    if path.suffix.lower() in SUFFIXES:
        return read_picture(path, channels)
    if not is_nifti(path) and not is_itk(path):
        known = ", ".join((".nii", ".nii.gz", *ITK_SUFFIXES, *SUFFIXES))
        raise DataError(f"{path}: no image format of the zoo.", f"Known are {known} and folders with a DICOM series.")
    if channels > 1:
        return read_channels(path, channels)
    array, geometry = read_image(path)
    return array[None], geometry


def _of_array(
    image: NDArray[np.generic], channels: int, spatial_dims: int, spacing: Sequence[float] | None
) -> tuple[NDArray[np.float32], Geometry]:
    array = np.asarray(image, dtype=np.float32)
    if array.ndim == spatial_dims and channels == 1:
        array = array[None]
    shape = array.shape[1:]
    sizes = tuple(float(size) for size in spacing or (1.0,) * len(shape))
    if len(sizes) != len(shape) or not all(0 < size < float("inf") for size in sizes):
        raise DataError(f"{NO_FILE}: the spacing {sizes} does not fit {len(shape)} axes.", "Give one size per axis.")
    if not np.isfinite(array).all():
        raise DataError(f"{NO_FILE}: a value is not finite.", "Replace NaN and infinite values.", "not_finite")
    if len(shape) == 3:
        _, geometry = to_ras(array[0], np.diag([*sizes, 1.0]), NO_FILE)
        return array, replace(geometry, source=None)
    crop = tuple((0, size) for size in shape)
    return array, Geometry(None, shape, crop, sizes, "px")
