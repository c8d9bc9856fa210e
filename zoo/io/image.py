"""Read and write NIfTI, NRRD, MetaImage and PNG files.

Arrays of volumes are in RAS order; a prediction gets the axes of its image file. The affine is the only source of the
spacing and orientation of a volume, as in nibabel. Every fault of a file is a `DataError` of one line that begins with
the path of the file.
"""

from __future__ import annotations

import gzip
import struct
import zlib
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from nibabel.filebasedimages import ImageFileError
from nibabel.spatialimages import HeaderDataError
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from zoo.errors import DataError
from zoo.io.axes import to_file_axes as to_file_axes  # noqa: PLC0414 - others import it from here
from zoo.io.axes import to_file_grids as to_file_grids  # noqa: PLC0414 - others import it from here
from zoo.io.axes import to_ras as to_ras  # noqa: PLC0414 - others import it from here
from zoo.io.itk import is_itk, itk_name, read_itk, write_itk
from zoo.io.nifti_header import affine_in_mm, check_voxel_size, mm_per_unit, open_nifti, too_long
from zoo.io.raster import read_raster
from zoo.types import Geometry, Prediction
from zoo.utils.atomic_files import write_atomically
from zoo.utils.limits import get_limit
from zoo.utils.open_files import lacks_open_files

NIFTI = (".nii", ".nii.gz")
_UNREADABLE = (
    *(OSError, EOFError, ValueError, zlib.error, struct.error, ImageFileError, HeaderDataError),
    *(
        ArithmeticError,
        LookupError,
        MemoryError,
        TypeError,
        Image.DecompressionBombError,
    ),  # from headers with impossible values
    *(UnidentifiedImageError, SyntaxError),  # Pillow raises SyntaxError for a wrong checksum
)
_NOISE = 1e-3  # rounding error of label values that were scaled or resampled in floating point


def is_nifti(path: Path) -> bool:
    """Return whether the name of a file is that of a NIfTI file."""
    return path.name.lower().endswith(NIFTI)


def read_image(path: Path) -> tuple[NDArray[np.float32], Geometry]:
    """Read an image of one channel.

    Args:
        path: A NIfTI file (3-D, or 4-D with one channel), a NRRD or MetaImage file (3-D or 2-D), or a picture that
            Pillow reads (2-D, upright, one page). A colour picture becomes gray.

    Returns:
        The array and its geometry. The array is float32, in RAS order for a volume and (H, W) for a picture. The
        crop of the geometry is the full array; its unit is "mm" for a volume and "px" for a picture.

    Raises:
        DataError: The file is missing, truncated or unreadable, has a wrong number of dimensions, or contains a value
            that is not finite.
    """
    array, geometry = _read(path, np.float32)
    _check_finite(array, path)
    return array, geometry


def read_channels(path: Path, channels: int) -> tuple[NDArray[np.float32], Geometry]:
    """Read a file with several channels.

    Args:
        path: A NIfTI file whose fourth axis holds the channels, as in the Medical Segmentation Decathlon; or a NRRD or
            MetaImage file with a vector per voxel.
        channels: The number of channels that the file must have.

    Returns:
        The array, float32 [channels, *S] in RAS order, and its geometry, as `read_image` returns it.

    Raises:
        DataError: As `read_image`, or the file has another number of channels.
    """
    array, geometry = _read(path, np.float32, channels)
    _check_finite(array, path)
    return np.ascontiguousarray(np.moveaxis(array, -1, 0)), geometry


def read_label(path: Path, by_colour: bool = False) -> tuple[NDArray[np.int32], Geometry]:
    """Read a label map.

    Args:
        path: As `read_image`.
        by_colour: Of a picture, the value of a pixel is its colour, red * 65536 + green * 256 + blue.

    Returns:
        The array, int32 with the values of the file and the axes of `read_image`, and its geometry.

    Raises:
        DataError: As `read_image`, or a value is not a whole number or does not fit into 32 bits.
    """
    array, geometry = _read(path, None, by_colour=by_colour)
    whole = array if array.dtype.kind in "iub" else np.rint(np.nan_to_num(array, nan=0.5))
    fix = "Correct the file or remove the case."
    if whole is not array and not np.array_equal(whole, array) and not (np.abs(whole - array) <= _NOISE).all():
        raise DataError(f"{path}: a label file with values that are not whole numbers.", fix, "label_not_whole")
    if (
        whole.size and max(-float(whole.min()), float(whole.max())) >= 2**31
    ):  # a cast would turn it into the value of another class
        raise DataError(f"{path}: a label file with values beyond 32 bits.", fix, "label_values")
    return whole.astype(np.int32), geometry


def prediction_suffix(geometry: Geometry) -> str:
    """Return the suffix of a prediction file: the format of the image, with PNG for pictures."""
    if geometry.source is not None and is_itk(geometry.source):
        return Path(itk_name(geometry.source.name)).suffix
    return ".png" if geometry.affine is None else ".nii.gz"


def write_prediction(path: Path, prediction: Prediction) -> tuple[Path, ...]:
    """Write a prediction with the axes, affine and shape of its image file, completely or not at all.

    A NIfTI file contains 0..K for exclusive classes, 0 and 1 for one mask, and K masks along a fourth axis for
    overlapping regions. A NRRD or MetaImage file has the same values, and a vector of K masks per voxel. A PNG file
    contains 0 and 255 for one mask and 0..K for exclusive classes. Overlapping regions become one PNG file each,
    `<stem>-<number>.png`, numbered from 1.

    Args:
        path: The file to write. Its suffix chooses the format.
        prediction: The mask in RAS order, with the layout of `Native.label`.

    Returns:
        The written files.

    Raises:
        DataError: The shape of the mask does not fit the geometry.
        RunError: The folder cannot be written.
    """
    geometry, grids = prediction.geometry, to_file_grids(prediction, path)
    stacked, single = len(grids) > 1, len(grids) == 1 and prediction.mask.ndim > len(geometry.shape)
    if is_nifti(path):
        volume = np.stack(grids, axis=-1) if stacked else grids[0]
        write_atomically(path, lambda temporary: nib.save(_nifti(volume, geometry), temporary))
        return (path,)
    if is_itk(path):
        write_itk(path, np.stack(grids, axis=-1) if stacked else grids[0], geometry)
        return (path,)
    if not stacked:
        scale = 255 if single else 1
        write_atomically(path, Image.fromarray(grids[0] * np.uint8(scale)).save)
        return (path,)
    names = tuple(path.with_name(f"{path.stem}-{number}.png") for number in range(1, len(grids) + 1))
    for name, grid in zip(names, grids, strict=True):
        write_atomically(name, Image.fromarray(grid * np.uint8(255)).save)
    return names


def _check_finite(array: NDArray[np.float32], path: Path) -> None:
    if not np.isfinite(array).all():
        bad = int((~np.isfinite(array)).sum())
        raise DataError(
            f"{path}: {bad} values are NaN or infinite.", "Correct the file or remove the case.", "not_finite"
        )


def _read(
    path: Path, dtype: Any, channels: int | None = None, by_colour: bool = False
) -> tuple[NDArray[Any], Geometry]:
    if not path.is_file():
        raise DataError(
            f"{path}: no such file.", "Download it again, or give the right folder with --data.root.", "missing_file"
        )
    try:
        if is_itk(path):
            return read_itk(path, dtype, channels)
        if channels is None and not is_nifti(path):
            return read_raster(path, dtype, by_colour)
        return _read_nifti(path, dtype, channels)
    except _UNREADABLE as error:
        if lacks_open_files(error):
            raise
        problem = " ".join(str(error).split()) or type(error).__name__
        raise DataError(f"{path}: truncated or unreadable ({problem}).", "Download the file again.") from error


def _read_nifti(path: Path, dtype: Any, channels: int | None) -> tuple[NDArray[Any], Geometry]:
    image = open_nifti(path)
    stored = image.get_data_dtype()
    if stored.kind not in "biuf":
        raise DataError(f"{path}: voxels that are not real numbers ({stored}).", "Save one number per voxel.")
    shape = tuple(int(n) for n in image.shape)
    single = channels is None and len(shape) == 4 and shape[3] == 1  # several tools write a volume in this form
    if channels is None and len(shape) != 3 and not single:
        raise DataError(
            f"{path}: {len(shape)}-D (shape {shape}) instead of 3-D.", "Split it into volumes.", "dimensions"
        )
    if channels is not None and shape[3:] != (channels,):
        raise DataError(
            f"{path}: shape {shape} instead of {channels} channels.", "Download the file again.", "dimensions"
        )
    if 0 in shape:
        raise DataError(f"{path}: no voxels (shape {shape}).", "Correct the file or remove the case.", "dimensions")
    check_voxel_size(image, path)
    affine = affine_in_mm(image, path)
    array = _voxels(image, path, dtype)
    return to_ras(array[..., 0] if single else array, affine, path)


def _voxels(image: Any, path: Path, dtype: Any) -> NDArray[Any]:
    """Read the voxels of an opened file. A compressed file is read to its end, because its checksum is there."""
    if path.suffix.lower() != ".gz":
        return np.asarray(image.dataobj, dtype=dtype)
    with gzip.open(path) as stream:
        array = np.asarray(type(image).from_stream(stream).dataobj, dtype=dtype)
        left = get_limit("extra_mb") * 1_000_000
        while content := stream.read(1 << 20):
            left -= len(content)
            if left < 0:
                raise too_long(path, 16 * get_limit("extra_mb"))
    return array


def _nifti(volume: NDArray[np.uint8], geometry: Geometry) -> Any:
    """Make a NIfTI image with the affine of the input; codes and units come from its header where that file exists."""
    affine = np.eye(4) if geometry.affine is None else np.array(geometry.affine)
    source = geometry.source
    if source is None or not source.is_file() or not is_nifti(source):
        return nib.Nifti1Image(volume, affine)
    loaded = open_nifti(source)
    affine[:3] /= mm_per_unit(loaded)
    header = loaded.header.copy()
    header.set_data_dtype(np.uint8)
    header["cal_max"] = header["cal_min"] = 0  # the display window of the image does not fit a mask
    header.set_slope_inter(1, 0)
    return type(loaded)(volume, affine, header)
