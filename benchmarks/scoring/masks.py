"""Reads the label images of one case: on the grid of its image, each value as its class. Nothing is resampled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.scoring.files import WHOLE
from benchmarks.scoring.values import CARD, NUMBERS, ClassValues, number_classes
from datamodules.bases.base import SegDataModule
from datamodules.loading.datasets import native_of
from zoo.errors import DataError
from zoo.io.dicom import SeriesReader
from zoo.io.image import is_nifti, read_channels, read_label
from zoo.io.nifti_header import open_nifti
from zoo.io.pictures import is_coloured
from zoo.io.readers import Reader
from zoo.io.same_grid import check_same_grid
from zoo.preprocessing.undo import ras_shape
from zoo.types import Case, Geometry, LabelSpace

_GRID = "Write it on the grid of the image: the same shape, spacing, origin and direction. Nothing is resampled."


class Truth(NamedTuple):
    """The label of a case.

    Attributes:
        geometry: Geometry of its image, without a crop.
        label: The label on the native grid, in the layout of `zoo.types.Native.label`.
    """

    geometry: Geometry
    label: NDArray[np.uint8]


def read_truth(data: SegDataModule, case: Case) -> Truth:
    """Read the label of a case as `zoo test` does, and the geometry of its image, without preprocessing.

    Args:
        data: The data set.
        case: The case.

    Raises:
        DataError: The case has no label, or a file is not as the card says.
    """
    if type(data).load is not SegDataModule.load:
        geometry, label = native_of(data.load(case), data.labels.exclusive)
        geometry = replace(geometry, crop=tuple((0, size) for size in ras_shape(geometry)))
    else:
        geometry = data.native_geometry(case)
        label = data.load_label(case, geometry)
    if label is None:
        raise DataError(f"Case {case.key} has no label.", "Only cases with a label are scored.")
    return Truth(geometry, label)


class MaskReader:
    """Reads the label images of cases.

    Args:
        labels: The classes.
        values: What the values of the files mean.
        reader: Reader of the data set. It reads files with the values of the data card, because some releases of a
            data set have other values.
    """

    def __init__(self, labels: LabelSpace, values: ClassValues, reader: Reader) -> None:
        self.labels, self.values = labels, values
        own = values.kind == CARD and not isinstance(reader, SeriesReader)  # a series is no single file
        self._reader = reader if own else Reader()
        self._colours = bool(getattr(reader, "colours", ())) and own

    def read(self, files: Mapping[int, Path], case: Case, truth: Truth) -> NDArray[np.uint8]:
        """Read the prediction of a case.

        Args:
            files: Number of the class (`WHOLE`, or from 1) to the file; empty for a prediction without any object.
            case: The case.
            truth: Its label and the geometry of its image.

        Returns:
            The mask in the layout of `Native.label`.

        Raises:
            DataError: A file cannot be read, has another grid than the image, or a value of no class.
        """
        for path in files.values():
            if case.label is not None and path.resolve() == case.label.resolve():
                raise DataError(f"{path}: the label of the case itself.", "Give the output of your program.")
        if not files:
            return np.zeros_like(truth.label)
        if WHOLE in files:
            return self._read_whole(files[WHOLE], case, truth.geometry)
        return self._join(files, case, truth)

    def _read_whole(self, path: Path, case: Case, image: Geometry) -> NDArray[np.uint8]:
        count = len(self.labels.names)
        if not self.labels.exclusive and count > 1 and is_nifti(path) and _count_channels(path) == count:
            array, geometry = read_channels(path, count)
            _check_grid(path, geometry, case, image)
            return np.stack([_binary(one, path) for one in array])
        if self._colours:
            raw, geometry, values = self._read_by_colour(path)
        else:
            (raw, geometry), values = self._reader.label(path), self.values
        _check_grid(path, geometry, case, image)
        return values.classes_of(raw, path)

    def _read_by_colour(self, path: Path) -> tuple[NDArray[np.int32], Geometry, ClassValues]:
        """Read a file of a data set whose classes are colours: in colour as its labels, in gray by class numbers."""
        if not is_nifti(path):
            read_label(path, by_colour=True)  # reports a file that is no picture
            if is_coloured(path):
                return *self._reader.label(path), self.values
        return *read_label(path), ClassValues(number_classes(self.labels), (), NUMBERS)

    def _join(self, files: Mapping[int, Path], case: Case, truth: Truth) -> NDArray[np.uint8]:
        """Join one mask per class; a class without a file is a mistake, because an empty mask is a file too."""
        lacking = [name for number, name in enumerate(self.labels.names, start=1) if number not in files]
        if lacking:
            some = next(iter(files.values()))
            raise DataError(f"{some}: no file of the class {', '.join(lacking)}.", "Write one mask per class.")
        masks = []
        for _, path in sorted(files.items()):
            raw, geometry = read_label(path)
            _check_grid(path, geometry, case, truth.geometry)
            masks.append(_binary(raw, path))
        stacked = np.stack(masks)
        if not self.labels.exclusive:
            return stacked
        if (stacked.sum(axis=0) > 1).any():
            problem = f"{next(iter(files.values()))}: two classes have a common voxel, but they exclude each other."
            raise DataError(problem, "Write each voxel into one mask.", "label_values")
        numbers = np.arange(1, len(stacked) + 1, dtype=np.uint8).reshape(-1, *[1] * (stacked.ndim - 1))
        joined: NDArray[np.uint8] = (stacked * numbers).max(axis=0)
        return joined


def _check_grid(path: Path, geometry: Geometry, case: Case, image: Geometry) -> None:
    """Check that a prediction has the grid of the image of its case.

    Raises:
        DataError: Shape, spacing, origin or direction differ; the message says which.
    """
    first = case.images[0] if case.images else Path(case.case_id)
    if (geometry.affine is None) != (image.affine is None):
        due = (
            "a picture, because the image is one" if image.affine is None else "NIfTI, because the image has a position"
        )
        raise DataError(f"{path}: not on the grid of {first}.", f"Save it as {due}.", "affine_mismatch")
    try:
        check_same_grid(path, geometry, first, image)
    except DataError as error:
        raise DataError(error.problem, _GRID, error.kind) from error


def _count_channels(path: Path) -> int:
    """Return the length of the fourth axis of a NIfTI file; 0 where there is none or the file cannot be opened."""
    try:
        shape = open_nifti(path).shape
    except Exception:  # noqa: BLE001 - the reader names what is wrong with the file
        return 0
    return int(shape[3]) if len(shape) == 4 else 0


def _binary(raw: NDArray[Any], path: Path) -> NDArray[np.uint8]:
    """Return the mask of one class as 0 and 1.

    Raises:
        DataError: It has two values besides 0.
    """
    values = np.unique(raw[raw != 0])
    if len(values) > 1 or (len(values) and not float(values[0]).is_integer()):
        listed = ", ".join(f"{value:g}" for value in values[:8])
        raise DataError(f"{path}: a mask of one class with the values {listed}.", "Write 0 and 1.", "label_values")
    mask: NDArray[np.uint8] = (raw != 0).astype(np.uint8)
    return mask
