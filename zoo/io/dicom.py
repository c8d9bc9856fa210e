"""DICOM series with one PNG mask a slice, as the CHAOS challenge gives them out. Needs the extra `dicom`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from zoo.errors import DataError
from zoo.io import read_label, to_ras
from zoo.io.readers import Reader
from zoo.types import Geometry

_LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
UNEVEN = 0.5
"""A step between slices that is off the mean one by more than this share of it means a missing slice."""


class Series(NamedTuple):
    """The headers of a series.

    Attributes:
        files: Its files in the order of their numbers.
        order: The place of each slice along the normal: `files[order[0]]` is the first.
        affine: 4x4 from (column, row, slice) to RAS millimetres.
    """

    files: list[Path]
    order: NDArray[np.intp]
    affine: NDArray[np.float64]


@dataclass(frozen=True)
class SeriesReader(Reader):
    """Folders of slices. An image's path is the first `.dcm` of its series, a label's the first PNG of its masks.

    Masks go with slices of the same name; where names differ, the order of the numbers in them is the link
    (`i0042,0000b.dcm`, `liver_GT_042.png`), never the position: in some CT series of CHAOS the numbers run
    against it, and masks paired by position lie beside the liver (a reader of the set reports a mean of -88 HU
    under patient 1's masks, and 145 where numbers are the link). A missing slice or mask is found by the count
    or by the gap that it leaves.

    Attributes:
        ranges: (least, largest, value): mask values that stand for one value of the card.
    """

    ranges: tuple[tuple[int, int, int], ...] = ()

    def image(self, path: Path) -> tuple[NDArray[np.float32], Geometry]:
        """See `Reader.image`; intensities are rescaled as the headers say."""
        series = _series(path)
        slices = [_read(file)[1] for file in series.files]
        _same_shapes(series.files, slices)
        volume = np.stack([slices[place] for place in series.order], axis=-1).astype(np.float32)
        array, geometry = to_ras(volume, series.affine, path)
        return array[None], geometry

    def label(self, path: Path) -> tuple[NDArray[np.int32], Geometry]:
        """See `Reader.label`."""
        masks = self.files(path)
        series, masks = self._paired(path, masks)
        slices = [read_label(file)[0].T for file in masks]
        _same_shapes(masks, slices)
        volume = np.stack([slices[place] for place in series.order], axis=-1)
        for least, largest, value in self.ranges:
            volume[(volume >= least) & (volume <= largest)] = value
        array, geometry = to_ras(self.without_dropped(volume), series.affine, path)
        return array, geometry

    def files(self, path: Path) -> list[Path]:
        """See `Reader.files`."""
        found = [file for file in path.parent.glob(f"*{path.suffix}") if not file.name.startswith("._")]
        return sorted(found, key=_numbers) or [path]

    def _paired(self, path: Path, masks: list[Path]) -> tuple[Series, list[Path]]:
        """The series that the masks belong to, and the masks in its order."""
        folder = path.parent.parent / "DICOM_anon"
        homes = [home for home in (folder, folder / "InPhase", folder / "OutPhase") if any(home.glob("*.dcm"))]
        if not homes:
            raise DataError(
                f"{folder}: no DICOM series for the masks in {path.parent}.",
                "Fetch the series again.",
                "incomplete_series",
            )
        all_files = [self.files(next(home.glob("*.dcm"))) for home in homes]
        stems = {mask.stem: mask for mask in masks}
        for files in all_files:  # in-phase and opposed-phase slices have other names and the same places
            if {file.stem for file in files} == set(stems):
                return _series(files[0]), [stems[file.stem] for file in files]
        if len(all_files[0]) != len(masks):
            raise DataError(
                f"{path}: {len(masks)} masks for the {len(all_files[0])} slices of {homes[0]}.",
                "Fetch the case again.",
                "incomplete_series",
            )
        return _series(all_files[0][0]), masks


def _numbers(path: Path) -> tuple[tuple[int, ...], str]:
    return tuple(int(digits) for digits in re.findall(r"\d+", path.stem)), path.name


def _same_shapes(files: list[Path], slices: list[Any]) -> None:
    for file, array in zip(files, slices, strict=True):
        if array.shape != slices[0].shape:
            raise DataError(
                f"{file}: shape {array.shape}, but {slices[0].shape} in {files[0]}.",
                "Mend or remove the case.",
                "shape_mismatch",
            )


def _series(path: Path) -> Series:
    """The headers of the series that a slice belongs to; which of its slices it is makes no difference."""
    files = SeriesReader().files(path)
    headers = [_read(file, pixels=False)[0] for file in files]
    first = headers[0]
    direction = np.array(first.GetDirection()).reshape(3, 3)
    origins = np.array([header.GetOrigin() for header in headers])
    along = origins @ direction[:, 2]
    order = np.argsort(along, kind="stable")
    steps = np.diff(along[order])
    step = float(steps.mean()) if len(steps) else float(first.GetSpacing()[2])
    if len(steps) and (step <= 0 or (np.abs(steps - step) > UNEVEN * step).any()):
        raise DataError(
            f"{path}: the slices of {path.parent} are not evenly spaced.",
            "Fetch the series again.",
            "incomplete_series",
        )
    affine = np.eye(4)
    affine[:3, 0] = direction[:, 0] * first.GetSpacing()[0]
    affine[:3, 1] = direction[:, 1] * first.GetSpacing()[1]
    affine[:3, 2] = (
        (origins[order[-1]] - origins[order[0]]) / (len(files) - 1) if len(steps) else direction[:, 2] * step
    )
    affine[:3, 3] = origins[order[0]]
    return Series(files, order, _LPS_TO_RAS @ affine)


def _read(path: Path, pixels: bool = True) -> tuple[Any, NDArray[Any]]:
    """The header of a slice, and its pixels [column, row] where they are wanted."""
    try:
        import SimpleITK as sitk  # noqa: N813 - its own customary name
    except ImportError as error:
        raise DataError(f"{path}: reading DICOM needs SimpleITK.", "Run `pip install 'textseg-zoo[dicom]'`.") from error
    if not path.is_file():
        raise DataError(
            f"{path}: no such file.", "Fetch it again, or name the right folder with --data.root.", "missing_file"
        )
    reader = sitk.ImageFileReader()
    reader.SetImageIO("GDCMImageIO")
    reader.SetFileName(str(path))
    try:
        if not pixels:
            reader.ReadImageInformation()
            return reader, np.empty(0)
        image = reader.Execute()
    except RuntimeError as error:
        problem = " ".join(str(error).split()).rpartition(":")[2].strip()
        raise DataError(f"{path}: truncated or unreadable ({problem}).", "Fetch the file again.") from error
    return image, sitk.GetArrayFromImage(image)[0].T
