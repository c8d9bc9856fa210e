"""Open a NIfTI file and read the position of its voxels from the header, in millimetres."""

from __future__ import annotations

import gzip
import math
import struct
from pathlib import Path
from typing import IO, Any, cast

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from zoo.errors import DataError
from zoo.utils.limits import get_limit, raise_limit

_FACTORS = {"meter": 1000.0, "mm": 1.0, "micron": 0.001, "unknown": 1.0}
"""Millimetres per unit of `xyzt_units`; NIfTI files without a unit are in millimetres by convention."""

_HEADERS = {348: ("8h", 40, "f", 108), 540: ("8q", 16, "q", 168)}
"""Size of the header of NIfTI-1 and NIfTI-2 -> format and offset of `dim`, format and offset of `vox_offset`."""

_LARGEST = 100.0  # largest plausible voxel in mm; above it, a header with the unit metre is wrong
_ROUNDING = 1e-4  # largest rounding error in the length of a quaternion that is stored in 32 bits


class _RoundedHeader(nib.Nifti1Header):
    """A header whose quaternion may be longer than 1 by a rounding error."""

    quaternion_threshold = _ROUNDING


class _RoundedImage(nib.Nifti1Image):
    header_class = _RoundedHeader


def open_nifti(path: Path) -> Any:
    """Open a NIfTI file without its voxels.

    Returns:
        The image of nibabel. A quaternion that is longer than 1 by a rounding error counts as one of length 1.

    Raises:
        DataError: The header claims more voxels than the limit, or places them too far behind its start. Or its
            quaternion is longer than 1 by more than a rounding error.
        Exception: The errors of nibabel for an unreadable file.
    """
    _check_size(path)
    try:
        return nib.load(path)
    except ValueError as error:
        if "w2" not in str(error):
            raise
    try:
        image = _RoundedImage.from_filename(path)
    except ValueError as error:
        if "w2" not in str(error):
            raise
        raise DataError(
            f"{path}: the quaternion of the header is longer than 1.",
            "Correct the header or download the file again.",
            "affine_unusable",
        ) from error
    image.header.set_qform(image.get_qform(), int(image.header["qform_code"]))  # so that copies of the header are valid
    return image


def open_unpacked(path: Path) -> IO[bytes]:
    """Open the content of a file, which is unpacked while it is read if its name ends with `.gz`."""
    return cast(IO[bytes], gzip.open(path)) if path.name.lower().endswith(".gz") else path.open("rb")


def _check_size(path: Path) -> None:
    """Check what the header claims, before anything of this size is read or unpacked.

    Raises:
        DataError: The file is too large.
    """
    with open_unpacked(path) as file:
        start = file.read(max(_HEADERS))
    for order in "<>":
        size = struct.unpack(f"{order}i", start[:4])[0] if len(start) >= min(_HEADERS) else 0
        if size not in _HEADERS or len(start) < size:
            continue  # nibabel says what is wrong
        dims_format, dims_at, offset_format, offset_at = _HEADERS[size]
        count, *dims = struct.unpack_from(f"{order}{dims_format}", start, dims_at)
        [offset] = struct.unpack_from(f"{order}{offset_format}", start, offset_at)
        voxels = math.prod(max(int(n), 1) for n in dims[: max(count, 0)])
        if voxels > get_limit("voxels"):
            raise DataError(f"{path}: {voxels} voxels, more than {get_limit('voxels')}.", raise_limit("voxels", voxels))
        if math.isfinite(offset) and offset > get_limit("extra_mb") * 1_000_000:
            raise too_long(path, math.ceil(offset / 1_000_000))


def too_long(path: Path, megabytes: int) -> DataError:
    """Return the error of a file with more content around its voxels than the limit."""
    problem = f"{path}: more than {get_limit('extra_mb')} MB that are no voxels."
    return DataError(problem, raise_limit("extra_mb", megabytes))


def affine_in_mm(image: Any, path: Path) -> NDArray[np.float64]:
    """Return the affine from voxels to RAS millimetres, 4x4, for any unit of the file.

    Raises:
        DataError: The unit is the metre and a voxel would be larger than 100 mm.
    """
    affine = np.array(image.affine, dtype=np.float64)
    factor = mm_per_unit(image)
    affine[:3] *= factor
    if factor > 1 and np.abs(affine[:3, :3]).max() > _LARGEST:
        raise DataError(
            f"{path}: the header gives voxels of more than {_LARGEST:g} mm, because its unit is the metre.",
            "Write the true unit into the header (`xyzt_units`).",
            "affine_unusable",
        )
    return affine


def mm_per_unit(image: Any) -> float:
    """Return the millimetres per spatial unit of a NIfTI header; 1 where the unit is missing or unknown."""
    try:
        return _FACTORS[image.header.get_xyzt_units()[0]]
    except KeyError:  # a code that the format does not define
        return 1.0


def check_voxel_size(image: Any, path: Path) -> None:
    """Check that the file states the size of a voxel. nibabel replaces 0 by 1 mm, and every distance would be wrong.

    Raises:
        DataError: The size is 0 and the affine depends on it.
    """
    if int(image.header.get("sform_code", 1)):  # the affine does not depend on the stored size
        return
    with image.file_map["image"].get_prepare_fileobj("rb") as stream:
        stored = type(image.header).from_fileobj(stream, check=False)["pixdim"][1:4]
    if not stored.all():
        raise DataError(
            f"{path}: the header has a voxel size of 0.",
            "Correct the header or download the file again.",
            "affine_unusable",
        )
