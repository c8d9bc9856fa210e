"""What is wrong with one case's files: each is read whole, one at a time."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from datamodules.index.findings import Finding
from datamodules.verify.duplicates import Look, look_at
from datamodules.verify.laterality_check import contradiction, low_is_left
from zoo.errors import DataError, Fault
from zoo.io.same_grid import check_same_grid
from zoo.types import Case, Geometry

if TYPE_CHECKING:
    from datamodules.bases.base import SegDataModule

T = TypeVar("T")


class Seen(NamedTuple):
    """What is kept of a case that was read: a few hundred bytes, whatever its size.

    Attributes:
        findings: What is wrong with its files.
        files: How many were read whole.
        look: What its image looks like; None where a channel could not be read.
        classes: Numbers of the classes that its label holds, from 0; None where no label was read.
    """

    findings: list[Finding]
    files: int
    look: Look | None = None
    classes: frozenset[int] | None = None


def examine(case: Case, data: SegDataModule, tolerance: float) -> Seen:
    """Read a case's files, or generate it where the set is embedded; a missing file is the index's matter."""
    examiner = _Examiner(case, data, tolerance)
    if data.embedded:
        examiner.attempt(lambda: data.load(case))
    else:
        examiner.images()
        examiner.label()
    return Seen(examiner.findings, examiner.files, examiner.look, examiner.classes)


class _Examiner:
    """One case; holds one array at a time, and of those before it the first image's geometry and the looks."""

    def __init__(self, case: Case, data: SegDataModule, tolerance: float) -> None:
        self.case, self.data, self.tolerance = case, data, tolerance
        self.findings: list[Finding] = []
        self.files = 0
        self.look: Look | None = None
        self.classes: frozenset[int] | None = None
        self._first: tuple[Path, Geometry] | None = None

    def attempt(self, check: Callable[[], T]) -> T | None:
        """What a check returns; its fault becomes a finding."""
        try:
            return check()
        except DataError as error:
            self.findings.append(Finding.of(error, self.case.case_id))
            return None

    def images(self) -> None:
        """Each channel: readable, finite, not constant, on the grid of the first."""
        looks = [self._image(path) for path in self.case.images if path.is_file()]
        whole = [look for look in looks if look is not None]
        if whole and len(whole) == len(self.case.images):
            self.look = whole[0].joined(whole[1:])

    def label(self) -> None:
        """The label: readable, of known values, not empty, on the grid of the image and on the side that is told."""
        path = self.case.label
        found = self.attempt(lambda: self.data.reader.label(path)) if path is not None and path.is_file() else None
        if path is None or found is None:
            return
        from zoo.preprocessing.apply import to_classes  # with torch, which the index does without

        values, geometry = found
        self._read(path, geometry)
        classes = self.attempt(lambda: to_classes(values, self.data.labels, path))
        if classes is not None:
            self._mask(path, values > 0)
            if self.data.labels.exclusive:
                self.classes = frozenset(np.flatnonzero(np.bincount(classes.ravel())[1:]).tolist())
            else:
                self.classes = frozenset(np.flatnonzero(classes.reshape(len(classes), -1).any(axis=1)).tolist())

    def _image(self, path: Path) -> Look | None:
        """The look of one image file; its array ends with this call."""
        found = self.attempt(lambda: self.data.reader.image(path))
        if found is None:
            return None
        array, geometry = found
        self._read(path, geometry)
        self._constant(path, array)
        return look_at(self.case, array)

    def _read(self, path: Path, geometry: Geometry) -> None:
        self.files += len(self.data.reader.files(path))
        if self._first is None and path in self.case.images:
            self._first = (path, geometry)
        elif self._first is not None:
            other, due = self._first
            self.attempt(lambda: check_same_grid(path, geometry, other, due, self.tolerance))

    def _constant(self, path: Path, array: NDArray[np.float32]) -> None:
        """A channel of a volume, or a whole picture: one colour channel may well be constant."""
        channels = array.reshape(len(array), -1) if array.ndim == 4 else array.reshape(1, -1)
        for number, values in enumerate(channels, start=1):
            if values.size and values.min() == values.max():
                which = f"all values of channel {number} are" if len(channels) > 1 else "all values are"
                self._add(path, "constant_image", f"{which} {values[0]:g}", "Fetch the file again.")

    def _mask(self, path: Path, mask: NDArray[np.bool_]) -> None:
        if not mask.any() and not self.data.about.get("empty_masks"):
            fix = "Mend or remove the case; a set where this may be says `empty_masks: true`."
            self._add(path, "empty_mask", "the mask is empty", fix)
        report = self.case.report
        if report and self.data.has_reports and low_is_left(self.data.about) is not None:
            told = contradiction(report, mask, self.data.about)
            if told:
                whose = self.data.about["laterality"]
                fix = f"Mend the caption or the mask; the card says that left is the {whose}'s."
                self._add(self.case.images[0], "side_contradiction", told, fix)

    def _add(self, path: Path, kind: Fault, problem: str, fix: str) -> None:
        self.findings.append(Finding(self.case.case_id, str(path), kind, f"{path}: {problem}.", fix))
