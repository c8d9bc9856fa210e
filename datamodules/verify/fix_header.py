"""`--fix header`: write corrected copies of files whose voxels are right and whose affine is wrong.

Files are never changed in place. Only the header fields for the position of the voxels come from the image. Voxels,
scaling and extensions are copied byte for byte.
"""

from __future__ import annotations

import copy
import filecmp
import gzip
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np
from nibabel.orientations import io_orientation

from datamodules.files.caption_tables import caption_faults
from datamodules.index.findings import Finding
from zoo.errors import ConfigError, DataError
from zoo.io.image import is_nifti
from zoo.io.nifti_header import open_nifti, open_unpacked
from zoo.utils.atomic_files import write_atomically

if TYPE_CHECKING:
    from datamodules.bases.base import SegDataModule

_POSITION_FIELDS = (
    *("qform_code", "quatern_b", "quatern_c", "quatern_d", "qoffset_x", "qoffset_y", "qoffset_z"),
    *("sform_code", "srow_x", "srow_y", "srow_z"),
)


class FixResult(NamedTuple):
    """What happened to the files with a wrong affine.

    Attributes:
        written: The corrected copies.
        turned: The corrected copies of files with other axes than the image. Their voxels may be stored in these
            axes too; a header cannot show this.
        skipped: The files without a copy, each with the reason.
    """

    written: list[Path]
    turned: list[Path]
    skipped: list[str]


def check_outside(folder: Path, out: Path) -> None:
    """Check that corrected copies are not written into the raw data.

    Raises:
        ConfigError: `out` is inside of `folder`.
    """
    if out.expanduser().resolve().is_relative_to(folder.resolve()):
        raise ConfigError(f"--out {out} is in the folder of the data set {folder}.", "Choose a folder outside of it.")


def fix_headers(data: SegDataModule, findings: Iterable[Finding], out: Path) -> FixResult:
    """Write a copy of each file with a finding `affine_mismatch`; the copy has the affine of the first image.

    Args:
        data: The data set.
        findings: Findings of this data set.
        out: Folder for the copies, with the same subfolders as the data set; it is made if needed. A copy that
            exists already with the same content is kept.

    Raises:
        ConfigError: `out` is in the folder of the data set.
        DataError: A copy would replace another file.
        RunError: A copy cannot be written.
    """
    check_outside(data.folder, out)
    out = out.expanduser()
    with caption_faults():
        cases = {case.case_id: case for case in copy.copy(data).list_cases()}
    result = FixResult([], [], [])
    for finding in findings:
        if finding.kind != "affine_mismatch":
            continue
        path, image = Path(finding.file), cases[finding.case_id].images[0]
        reason = _reason_to_skip(path, image, data.folder)
        if reason:
            result.skipped.append(f"{path}: {reason}.")
            continue
        copied = out / path.relative_to(data.folder)
        check_outside(data.folder, copied.parent)
        _write(copied, path, image)
        result.written.append(copied)
        if not np.array_equal(*(io_orientation(open_nifti(file).affine) for file in (path, image))):
            result.turned.append(copied)
    return result


def _reason_to_skip(path: Path, image: Path, folder: Path) -> str:
    """Why a header cannot be corrected; empty where it can."""
    if not (is_nifti(path) and is_nifti(image)):
        return "this is not a NIfTI file, so it has no header to correct"
    if not path.is_relative_to(folder):
        return f"this file is outside of {folder}"
    shape, image_shape = (tuple(open_nifti(file).shape[:3]) for file in (path, image))
    return "" if shape == image_shape else f"this file has the shape {shape}, the image has {image_shape}"


def _write(copied: Path, path: Path, image: Path) -> None:
    def write(temporary: Path) -> None:
        _copy_with_position(path, image, temporary)
        if copied.exists() and not filecmp.cmp(temporary, copied, shallow=False):
            raise DataError(f"{copied}: another file is already there.", "Remove it or choose another --out.")

    write_atomically(copied, write)


def _copy_with_position(path: Path, image: Path, target: Path) -> None:
    """Copy a NIfTI file with the position fields of another one; the same input gives the same bytes."""
    source = open_nifti(image)
    loaded = open_nifti(path)
    with open_unpacked(path) as old, target.open("wb") as raw:
        header = type(loaded.header).from_fileobj(
            old, check=False
        )  # without a check, offset and scaling stay as on disk
        for key in _POSITION_FIELDS:
            header[key] = source.header[key]
        header["pixdim"][:4] = source.header["pixdim"][:4]
        header.set_xyzt_units(source.header.get_xyzt_units()[0], header.get_xyzt_units()[1])
        old.seek(len(header.binaryblock))
        packed = path.name.lower().endswith(".gz")
        new = gzip.GzipFile("", "wb", 6, raw, mtime=0) if packed else raw
        new.write(header.binaryblock)
        shutil.copyfileobj(old, cast(Any, new))
        if packed:
            new.close()
