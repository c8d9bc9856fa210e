"""NIfTI and PNG, in and out. A volume is worked on in RAS order and returns to its file's own axes.

The affine is the only source of a volume's spacing and orientation (nibabel's rule as well). Every
fault of a file is a `DataError` of one line that begins with the file's name.
"""

from __future__ import annotations

import gzip
import struct
import zlib
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from nibabel.affines import voxel_sizes
from nibabel.filebasedimages import ImageFileError
from nibabel.orientations import axcodes2ornt, inv_ornt_aff, io_orientation, ornt_transform
from nibabel.spatialimages import HeaderDataError
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from zoo.errors import DataError
from zoo.io.raster import read_raster
from zoo.types import Geometry, Prediction
from zoo.utils.atomic_files import atomically

NIFTI = (".nii", ".nii.gz")
_RAS = axcodes2ornt(("R", "A", "S"))
_UNREADABLE = (
    *(OSError, EOFError, ValueError, zlib.error, struct.error, ImageFileError, HeaderDataError),
    *(ArithmeticError, LookupError, MemoryError, TypeError, Image.DecompressionBombError),  # of headers that lie
    *(UnidentifiedImageError, SyntaxError),  # the latter is Pillow's for a wrong checksum
)
_NOISE = 1e-3  # of a label's values: what scaling and resampling in floating point leave


def is_nifti(path: Path) -> bool:
    """Whether a file name is that of a NIfTI file."""
    return path.name.lower().endswith(NIFTI)


def read_image(path: Path) -> tuple[NDArray[np.float32], Geometry]:
    """One channel of an image.

    Args:
        path: NIfTI (3-D, or with a fourth axis of one), or any raster that Pillow reads (2-D, upright and of one page;
            colour becomes gray).

    Returns:
        The array, float32 in RAS order for a volume and (H, W) for a raster, and its geometry, whose
        crop is the whole array; unit "mm" for a volume, "px" for a raster.

    Raises:
        DataError: Missing, truncated or unreadable, not of the due dimensions, or not finite.
    """
    array, geometry = _read(path, np.float32)
    _check_finite(array, path)
    return array, geometry


def read_channels(path: Path, channels: int) -> tuple[NDArray[np.float32], Geometry]:
    """All channels of a NIfTI that has them along its fourth axis, as the Medical Segmentation Decathlon does.

    Args:
        path: NIfTI (4-D).
        channels: How many are due.

    Returns:
        float32 [channels, *S] in RAS order, and the geometry as `read_image` gives it.

    Raises:
        DataError: As `read_image`, or another number of channels.
    """
    array, geometry = _read(path, np.float32, channels)
    _check_finite(array, path)
    return np.ascontiguousarray(np.moveaxis(array, 3, 0)), geometry


def read_label(path: Path) -> tuple[NDArray[np.int32], Geometry]:
    """A label map, int32, laid out as `read_image` does, with the values of the file.

    Raises:
        DataError: As `read_image`, or a value is not a whole number, or one that 32 bits do not hold.
    """
    array, geometry = _read(path, None)
    whole = array if array.dtype.kind in "iub" else np.rint(np.nan_to_num(array, nan=0.5))
    mend = "Mend or remove the case."
    if whole is not array and not np.array_equal(whole, array) and not (np.abs(whole - array) <= _NOISE).all():
        raise DataError(f"{path}: a label file with values that are no whole numbers.", mend, "label_not_whole")
    if whole.size and max(-float(whole.min()), float(whole.max())) >= 2**31:  # would come round to another class
        raise DataError(f"{path}: a label file with values beyond 32 bits.", mend, "label_values")
    return whole.astype(np.int32), geometry


def prediction_suffix(geometry: Geometry) -> str:
    """The suffix of a prediction's file: what went in comes out."""
    return ".png" if geometry.affine is None else ".nii.gz"


def write_prediction(path: Path, prediction: Prediction) -> tuple[Path, ...]:
    """Write a prediction on the input's own axes, affine and shape; whole or not at all.

    A NIfTI holds 0..K for exclusive classes, 0/1 for one mask, and K masks along a fourth axis for
    overlapping regions. A PNG holds 0/255 for one mask and 0..K for exclusive classes;
    overlapping regions become one PNG each, `<stem>-<number>.png`, numbered from 1.

    Args:
        path: Where to; its suffix decides between NIfTI and PNG.
        prediction: The mask in RAS order, as `Native.label` is laid out.

    Returns:
        The files written.

    Raises:
        DataError: The mask does not fit the geometry.
        RunError: The folder cannot be written.
    """
    mask, geometry = np.asarray(prediction.mask, dtype=np.uint8), prediction.geometry
    stacked = mask.ndim == len(geometry.shape) + 1
    single = stacked and mask.shape[0] == 1
    if single:
        mask, stacked = mask[0], False
    grids = list(mask) if stacked else [mask]
    grids = [_to_file_axes(grid, geometry, path) for grid in grids]
    if is_nifti(path):
        volume = np.stack(grids, axis=-1) if stacked else grids[0]
        atomically(path, lambda temporary: nib.save(_nifti(volume, geometry), temporary))
        return (path,)
    if not stacked:
        scale = 255 if single else 1
        atomically(path, Image.fromarray(grids[0] * np.uint8(scale)).save)
        return (path,)
    names = tuple(path.with_name(f"{path.stem}-{number}.png") for number in range(1, len(grids) + 1))
    for name, grid in zip(names, grids, strict=True):
        atomically(name, Image.fromarray(grid * np.uint8(255)).save)
    return names


def _check_finite(array: NDArray[np.float32], path: Path) -> None:
    if not np.isfinite(array).all():
        bad = int((~np.isfinite(array)).sum())
        raise DataError(f"{path}: {bad} values are NaN or infinite.", "Mend or remove the case.", "not_finite")


def _read(path: Path, dtype: Any, channels: int | None = None) -> tuple[NDArray[Any], Geometry]:
    if not path.is_file():
        raise DataError(
            f"{path}: no such file.", "Fetch it again, or name the right folder with --data.root.", "missing_file"
        )
    try:
        if channels is None and not is_nifti(path):
            return read_raster(path, dtype)
        return _read_nifti(path, dtype, channels)
    except _UNREADABLE as error:
        problem = " ".join(str(error).split()) or type(error).__name__
        raise DataError(f"{path}: truncated or unreadable ({problem}).", "Fetch the file again.") from error


def _read_nifti(path: Path, dtype: Any, channels: int | None) -> tuple[NDArray[Any], Geometry]:
    image: Any = nib.load(path)
    stored = image.get_data_dtype()
    if stored.kind not in "biuf":
        raise DataError(f"{path}: voxels that are no real numbers ({stored}).", "Save one number a voxel.")
    shape = tuple(int(n) for n in image.shape)
    single = channels is None and len(shape) == 4 and shape[3] == 1  # a volume, as several tools write it
    if channels is None and len(shape) != 3 and not single:
        raise DataError(
            f"{path}: {len(shape)}-D (shape {shape}) where 3-D is due.", "Split it into volumes.", "dimensions"
        )
    if channels is not None and shape[3:] != (channels,):
        raise DataError(
            f"{path}: shape {shape}, but {channels} channels are due.", "Fetch the file again.", "dimensions"
        )
    if 0 in shape:
        raise DataError(f"{path}: no voxels (shape {shape}).", "Mend or remove the case.", "dimensions")
    _check_spacing(image, path)
    affine = np.asarray(image.affine, dtype=np.float64)
    array = _voxels(image, path, dtype)
    return to_ras(array[..., 0] if single else array, affine, path)


def _check_spacing(image: Any, path: Path) -> None:
    """That the file itself says how large a voxel is: nibabel takes 1 mm where it says 0, and every distance is off.

    Raises:
        DataError: It does not.
    """
    if int(image.header.get("sform_code", 1)):  # the affine does not come from these numbers
        return
    with image.file_map["image"].get_prepare_fileobj("rb") as stream:
        stored = type(image.header).from_fileobj(stream, check=False)["pixdim"][1:4]
    if not stored.all():
        raise DataError(
            f"{path}: the header has a voxel size of 0.", "Mend the header or fetch the file again.", "affine_unusable"
        )


def _voxels(image: Any, path: Path, dtype: Any) -> NDArray[Any]:
    """The voxels of an opened file; a packed one is read to its end, where its checksum stands."""
    if path.suffix.lower() != ".gz":
        return np.asarray(image.dataobj, dtype=dtype)
    with gzip.open(path) as stream:
        array = np.asarray(type(image).from_stream(stream).dataobj, dtype=dtype)
        while stream.read(1 << 20):
            pass
    return array


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
    volume = abs(np.linalg.det(affine[:3, :3]))  # zero where two axes are one
    if not np.isfinite(affine).all() or not (spacing > 0).all() or volume < 1e-6 * spacing.prod():
        raise DataError(
            f"{path}: the header has no usable affine.", "Mend the header or fetch the file again.", "affine_unusable"
        )
    turn = ornt_transform(io_orientation(affine), _RAS)
    if np.isnan(turn).any():
        raise DataError(f"{path}: the affine does not tell the axes apart.", "Mend the header.", "affine_unusable")
    shape = array.shape[:3]
    turned = nib.orientations.apply_orientation(array, turn)
    steps = voxel_sizes(affine @ inv_ornt_aff(turn, shape))
    rows = tuple(tuple(float(value) for value in row) for row in affine)
    crop = tuple((0, int(n)) for n in turned.shape[:3])
    return np.ascontiguousarray(turned), Geometry(rows, shape, crop, tuple(float(s) for s in steps), "mm", path)


def _to_file_axes(grid: NDArray[np.uint8], geometry: Geometry, path: Path) -> NDArray[np.uint8]:
    if geometry.affine is not None and grid.ndim == 3:
        to_file = ornt_transform(_RAS, io_orientation(np.asarray(geometry.affine)))
        grid = nib.orientations.apply_orientation(grid, to_file)
    if grid.shape != geometry.shape:
        raise DataError(f"{path}: a mask of shape {grid.shape} for an input of shape {geometry.shape}.")
    return np.ascontiguousarray(grid)


def _nifti(volume: NDArray[np.uint8], geometry: Geometry) -> Any:
    """The image with the input's affine, and its header's codes and units where the input is a NIfTI at hand."""
    affine = np.eye(4) if geometry.affine is None else np.asarray(geometry.affine)
    source = geometry.source
    if source is None or not source.is_file() or not is_nifti(source):
        return nib.Nifti1Image(volume, affine)
    loaded: Any = nib.load(source)
    header = loaded.header.copy()
    header.set_data_dtype(np.uint8)
    header["cal_max"] = header["cal_min"] = 0  # the display window of the image says nothing of a mask
    header.set_slope_inter(1, 0)
    return type(loaded)(volume, affine, header)
