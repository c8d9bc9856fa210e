"""Open a NIfTI file and read from its header where its voxels lie, in millimetres."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from zoo.errors import DataError

_FACTORS = {"meter": 1000.0, "mm": 1.0, "micron": 0.001, "unknown": 1.0}
"""Millimetres per unit of `xyzt_units`; NIfTI files without a unit are in millimetres by convention."""

_LARGEST = 100.0  # millimetres; no scanner makes a larger voxel, so a header that says metres is wrong
_ROUNDING = 1e-4  # by which a quaternion stored in 32 bits may be longer than 1


class _RoundedHeader(nib.Nifti1Header):
    """A header whose quaternion may be a little longer than 1, as rounding leaves it."""

    quaternion_threshold = _ROUNDING


class _RoundedImage(nib.Nifti1Image):
    header_class = _RoundedHeader


def open_nifti(path: Path) -> Any:
    """Open a NIfTI file without its voxels.

    Returns:
        nibabel's image. A quaternion that is longer than 1 by rounding is taken as one of length 1.

    Raises:
        DataError: The quaternion of the header is longer than 1 by more than rounding.
        Exception: What nibabel raises for an unreadable file.
    """
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
    image.header.set_qform(image.get_qform(), int(image.header["qform_code"]))  # a copy of the header is sound
    return image


def affine_in_mm(image: Any, path: Path) -> NDArray[np.float64]:
    """The affine from voxels to RAS millimetres, 4x4, whatever the file's unit is.

    Raises:
        DataError: The unit is metre and a voxel would be larger than any scanner makes one.
    """
    affine = np.array(image.affine, dtype=np.float64)
    factor = mm_per_unit(image)
    affine[:3] *= factor
    if factor > 1 and np.abs(affine[:3, :3]).max() > _LARGEST:
        raise DataError(
            f"{path}: the header gives voxels of more than {_LARGEST:g} mm, as its unit is the metre.",
            "Write the true unit into the header (`xyzt_units`).",
            "affine_unusable",
        )
    return affine


def mm_per_unit(image: Any) -> float:
    """Millimetres per spatial unit of a NIfTI's header; 1 where the header names none or an unknown one."""
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
