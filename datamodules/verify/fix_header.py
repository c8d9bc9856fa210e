"""`--fix header`: corrected copies of files whose voxels are right and whose affine is not. Never in place.

Only the fields of the header that say where the voxels lie are taken from the image: all else, voxels,
scaling and extensions, is copied byte for byte.
"""

from __future__ import annotations

import copy
import filecmp
import gzip
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple, cast

import nibabel as nib
import numpy as np
from nibabel.orientations import io_orientation

from datamodules.files.caption_tables import caption_faults
from datamodules.index.findings import Finding
from zoo.errors import ConfigError, DataError
from zoo.io.image import is_nifti
from zoo.utils.atomic_files import atomically

if TYPE_CHECKING:
    from datamodules.bases.base import SegDataModule

_PLACE = (
    *("qform_code", "quatern_b", "quatern_c", "quatern_d", "qoffset_x", "qoffset_y", "qoffset_z"),
    *("sform_code", "srow_x", "srow_y", "srow_z"),
)


class FixResult(NamedTuple):
    """What became of the files with another affine.

    Attributes:
        written: The corrected copies.
        turned: Those of them whose axes pointed elsewhere than the image's: whether the voxels were stored so, too,
            no header can tell.
        left: Those that were not mended, each with the reason.
    """

    written: list[Path]
    turned: list[Path]
    left: list[str]


def check_out(folder: Path, out: Path) -> None:
    """That corrected copies do not go into the raw data.

    Raises:
        ConfigError: They would.
    """
    if out.expanduser().resolve().is_relative_to(folder.resolve()):
        raise ConfigError(f"--out {out} lies in the set's folder {folder}.", "Choose a folder outside of it.")


def mend_headers(data: SegDataModule, findings: Iterable[Finding], out: Path) -> FixResult:
    """Write a copy with the first image's affine of each file that `affine_mismatch` names.

    Args:
        data: The set.
        findings: Of this set.
        out: Folder that mirrors the set's; made when first written to. A file that stands there already is
            kept where it is the same.

    Raises:
        ConfigError: `out` lies in the set's folder.
        DataError: Another file stands in the place of a copy.
        RunError: A copy cannot be written.
    """
    check_out(data.folder, out)
    out = out.expanduser()
    with caption_faults():
        cases = {case.case_id: case for case in copy.copy(data).index()}
    mended = FixResult([], [], [])
    for finding in findings:
        if finding.kind != "affine_mismatch":
            continue
        path, image = Path(finding.file), cases[finding.case_id].images[0]
        reason = _hindrance(path, image, data.folder)
        if reason:
            mended.left.append(f"{path}: {reason}.")
            continue
        copied = out / path.relative_to(data.folder)
        check_out(data.folder, copied.parent)
        _write(copied, path, image)
        mended.written.append(copied)
        if not np.array_equal(*(io_orientation(nib.load(file).affine) for file in (path, image))):
            mended.turned.append(copied)
    return mended


def _hindrance(path: Path, image: Path, folder: Path) -> str:
    """Why a file cannot be mended; empty where it can."""
    if not (is_nifti(path) and is_nifti(image)):
        return "no NIfTI, so it has no header to mend"
    if not path.is_relative_to(folder):
        return f"lies outside of {folder}"
    here, there = (tuple(nib.load(file).shape[:3]) for file in (path, image))
    return "" if here == there else f"its file has the shape {here}, the image's {there}"


def _write(copied: Path, path: Path, image: Path) -> None:
    def write(temporary: Path) -> None:
        _copy_with_place(path, image, temporary)
        if copied.exists() and not filecmp.cmp(temporary, copied, shallow=False):
            raise DataError(f"{copied}: another file stands here.", "Remove it or choose another --out.")

    atomically(copied, write)


def _copy_with_place(path: Path, image: Path, target: Path) -> None:
    """Copy a NIfTI with the place of another; the same input gives the same bytes."""
    source: Any = nib.load(image)
    loaded: Any = nib.load(path)
    with _opened(path) as old, target.open("wb") as raw:
        header = type(loaded.header).from_fileobj(old, check=False)  # as it is on disk: offset and scaling kept
        for key in _PLACE:
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


def _opened(path: Path) -> IO[bytes]:
    return cast(IO[bytes], gzip.open(path)) if path.name.lower().endswith(".gz") else path.open("rb")
