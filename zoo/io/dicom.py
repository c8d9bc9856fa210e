"""DICOM series, also with one PNG mask per slice as in the CHAOS challenge. Needs the extra `dicom`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from zoo.errors import DataError
from zoo.io import read_label, to_ras
from zoo.io.dicom_slice import read_slice
from zoo.io.readers import Reader
from zoo.types import Geometry
from zoo.utils.child_process import ChildError, ChildPool
from zoo.utils.extras import advise_extra
from zoo.utils.limits import get_limit, raise_limit

DICOM = ".dcm"

_processes = ChildPool()
_LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
_MAGIC = b"DICM"
_MAGIC_PLACE = 128
_INDEX = "DICOMDIR"  # the index of a medium; it has the mark of DICOM files, and no image
_OTHER_SUFFIXES = (".dic", ".dicom", ".ima")
_SAME = 1e-3
"""Largest difference between the direction cosines, or the pixel sizes in mm, of two slices of a series. Two slices
that are not farther apart lie on one place."""
UNEVEN = 0.5
"""Largest difference between a slice distance and the mean distance, as a share of the mean. Above it, a slice is
missing."""


class Series(NamedTuple):
    """The headers of a series.

    Attributes:
        files: The files in the order of the numbers in their names.
        order: Indices into `files` along the normal of the slices: `files[order[0]]` is the first slice.
        affine: 4x4, from (column, row, slice) to RAS millimetres.
    """

    files: list[Path]
    order: NDArray[np.intp]
    affine: NDArray[np.float64]


@dataclass(frozen=True)
class SeriesReader(Reader):
    """Reader of folders with one file per slice.

    The path of an image is the first `.dcm` file of its series; the path of a label is the first PNG file of its masks.

    A mask belongs to the slice of the same name. Where names differ, masks and slices are paired in the order of the
    numbers in their names (`i0042,0000b.dcm`, `liver_GT_042.png`), never by position: in some CT series of CHAOS the
    numbers descend with the position, and masks that are paired by position miss the liver. A user of the data set
    reports a mean of -88 HU under the masks of patient 1 by position, and 145 HU by number. A missing slice or mask
    is detected by the count or by the gap.

    Attributes:
        ranges: Triples (lowest, highest, value): mask values from lowest to highest mean one value of the card.
    """

    ranges: tuple[tuple[int, int, int], ...] = ()

    def image(self, path: Path) -> tuple[NDArray[np.float32], Geometry]:
        """Read a series; intensities are rescaled as in its headers. See `Reader.image`."""
        series = read_series(path)
        slices = [_read(file)[1] for file in series.files]
        _same_shapes(series.files, slices)
        volume = np.stack([slices[place] for place in series.order], axis=-1).astype(np.float32)
        array, geometry = to_ras(volume, series.affine, path)
        return array[None], geometry

    def label(self, path: Path) -> tuple[NDArray[np.int32], Geometry]:
        """Read the masks of a series; see `Reader.label`."""
        masks = self.files(path)
        series, masks = self._paired(path, masks)
        slices = [read_label(file)[0].T for file in masks]
        _same_shapes(masks, slices)
        volume = np.stack([slices[place] for place in series.order], axis=-1)
        for lowest, highest, value in self.ranges:
            volume[(volume >= lowest) & (volume <= highest)] = value
        array, geometry = to_ras(self.without_dropped(volume), series.affine, path)
        return array, geometry

    def files(self, path: Path) -> list[Path]:
        """List the slices, or the masks, of a series; see `Reader.files`."""
        if path.suffix.lower() in (DICOM, ".png"):
            return _files_in(path.parent, path.suffix) or [path]
        return list_slices(path.parent) or [path]

    def _paired(self, path: Path, masks: list[Path]) -> tuple[Series, list[Path]]:
        """Find the series that the masks belong to, and sort the masks in its order."""
        folder = path.parent.parent / "DICOM_anon"
        candidates = (folder, folder / "InPhase", folder / "OutPhase")
        found = [_files_in(candidate, ".dcm") for candidate in candidates]
        all_files = [files for files in found if files]
        if not all_files:
            raise DataError(
                f"{folder}: no DICOM series for the masks in {path.parent}.",
                "Download the series again.",
                "incomplete_series",
            )
        stems = {mask.stem: mask for mask in masks}
        for files in all_files:  # in-phase and opposed-phase slices have different names and the same positions
            if {file.stem for file in files} == set(stems):
                return read_series(files[0]), [stems[file.stem] for file in files]
        if len(all_files[0]) != len(masks):
            raise DataError(
                f"{path}: {len(masks)} masks for the {len(all_files[0])} slices of {all_files[0][0].parent}.",
                "Download the case again.",
                "incomplete_series",
            )
        return read_series(all_files[0][0]), masks


def list_slices(folder: Path) -> list[Path]:
    """List the slices of the series in a folder, in the order of the numbers in their names.

    These are the `.dcm` files. Where there is none, these are the files with the mark of a DICOM file: scanners and
    archives give out slices without a suffix.

    Example:
        >>> list_slices(Path("no/such/folder"))
        []
    """
    return _files_in(folder, DICOM) or sorted((one for one in _inside(folder) if _has_mark(one)), key=_numbers)


def _inside(folder: Path) -> Iterator[Path]:
    inside = folder.iterdir() if folder.is_dir() else iter(())
    return (file for file in inside if not file.name.startswith("."))


def _has_mark(path: Path) -> bool:
    """Whether a file begins as DICOM files do. A file with the suffix of another format is not opened."""
    suffix = path.suffix.lower()
    other = suffix not in _OTHER_SUFFIXES and re.fullmatch(r"\.[a-z]+[0-9]?", suffix)
    if other or path.name.upper() == _INDEX or not path.is_file():
        return False
    with path.open("rb") as file:
        file.seek(_MAGIC_PLACE)
        return file.read(len(_MAGIC)) == _MAGIC


def _files_in(folder: Path, suffix: str) -> list[Path]:
    """The files of a folder with a suffix, also in capitals, in the order of the numbers in their names."""
    return sorted((file for file in _inside(folder) if file.suffix.lower() == suffix.lower()), key=_numbers)


def _numbers(path: Path) -> tuple[tuple[int, ...], str]:
    return tuple(int(digits) for digits in re.findall(r"\d+", path.stem)), path.name


def _same_shapes(files: list[Path], slices: list[Any]) -> None:
    for file, array in zip(files, slices, strict=True):
        if array.shape != slices[0].shape:
            raise DataError(
                f"{file}: shape {array.shape}, but {slices[0].shape} in {files[0]}.",
                "Correct the file or remove the case.",
                "shape_mismatch",
            )


def read_series(path: Path) -> Series:
    """Read the headers of the series that a slice belongs to; any of its slices gives the same result.

    Raises:
        DataError: A slice is unreadable, slices lie in several directions or on one place, or a slice is missing.
    """
    files = SeriesReader().files(path)
    headers = [_read(file, pixels=False)[0] for file in files]
    first = headers[0]
    for file, header in zip(files, headers, strict=True):
        own, due = ([*one["direction"], *one["spacing"][:2]] for one in (header, first))
        if not np.allclose(own, due, rtol=0, atol=_SAME):
            raise _mixed(f"{file}: another direction or pixel size than {files[0]}.")
    direction = np.array(first["direction"]).reshape(3, 3)
    origins = np.array([header["origin"] for header in headers])
    along = origins @ direction[:, 2]
    order = np.argsort(along, kind="stable")
    steps = np.diff(along[order])
    doubled = np.flatnonzero(steps < _SAME)
    if len(doubled):
        pair = [files[place] for place in order[doubled[0] : doubled[0] + 2]]
        raise _mixed(f"{pair[0]}: at the position of {pair[1].name}.")
    step = float(steps.mean()) if len(steps) else float(first["spacing"][2])
    if (np.abs(steps - step) > UNEVEN * step).any():
        raise DataError(
            f"{path}: the slices of {path.parent} are not evenly spaced.",
            "Download the series again.",
            "incomplete_series",
        )
    affine = np.eye(4)
    affine[:3, 0] = direction[:, 0] * first["spacing"][0]
    affine[:3, 1] = direction[:, 1] * first["spacing"][1]
    affine[:3, 2] = (
        (origins[order[-1]] - origins[order[0]]) / (len(files) - 1) if len(steps) else direction[:, 2] * step
    )
    affine[:3, 3] = origins[order[0]]
    return Series(files, order, _LPS_TO_RAS @ affine)


def _mixed(problem: str) -> DataError:
    return DataError(problem, "Put the slices of each series into a folder of their own.", "incomplete_series")


def _read(path: Path, pixels: bool = True) -> tuple[Mapping[str, Any], NDArray[Any]]:
    """Read the header of a slice and, with `pixels`, its pixels [column, row], in a child process."""
    if find_spec("SimpleITK") is None:
        raise DataError(f"{path}: reading DICOM needs SimpleITK.", advise_extra("dicom"))
    if not path.is_file():
        raise DataError(
            f"{path}: no such file.", "Download it again, or give the right folder with --data.root.", "missing_file"
        )
    most = get_limit("pixels")
    arguments = {"path": str(path), "pixels": pixels, "most": most}
    try:
        header, array = _processes.call(read_slice, arguments, get_limit("dicom_seconds"))
    except ChildError as error:
        problem = " ".join(str(error).split()).rpartition(":")[2].strip()
        raise DataError(f"{path}: truncated or unreadable ({problem}).", "Download the file again.") from error
    if header["frames"] > 1 or header["values"] > 1:
        what = f"{header['frames']} frames" if header["frames"] > 1 else f"{header['values']} values per pixel"
        fix = "Give one file per slice with one value per pixel, or convert the image to NIfTI."
        raise DataError(f"{path}: {what} in one DICOM file.", fix, "dimensions")
    if pixels and array is None:
        size = int(header["size"])
        raise DataError(f"{path}: a slice of {size} pixels, more than {most}.", raise_limit("pixels", size))
    return header, np.empty(0) if array is None else array.T
