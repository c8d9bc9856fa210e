"""Faults in the files of one case. Each file is read completely, one at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from datamodules.index.findings import SIDE_CONTRADICTION, Finding
from datamodules.verify.duplicates import ImageSignature, compute_signature
from datamodules.verify.laterality_check import find_contradiction, low_is_left
from zoo.errors import DataError, Fault
from zoo.io.same_grid import TOLERANCE, check_same_grid
from zoo.text.absence import says_nothing_is_there
from zoo.types import Case, Geometry

if TYPE_CHECKING:
    from datamodules.bases.base import SegDataModule

T = TypeVar("T")


class CaseInspection(NamedTuple):
    """The result for one case. It has a few hundred bytes, independent of the size of the case.

    Attributes:
        findings: Faults of the files.
        files: Number of files that were read completely.
        signature: Signature of the image; None where a channel could not be read.
        classes: Numbers of the classes in the label, from 0; None where no label was read.
    """

    findings: list[Finding]
    files: int
    signature: ImageSignature | None = None
    classes: frozenset[int] | None = None


def inspect_image(queries: Sequence[Case], data: SegDataModule, tolerance: float) -> list[CaseInspection]:
    """Read the files of an image with its queries, or generate them for an embedded data set.

    The image is read once. A missing file is not reported here, because `index_findings` reports it.

    Args:
        queries: The cases of one image; mostly there is one.
        data: The data set.
        tolerance: See `datamodules.verify.inspect`.

    Returns:
        One result per case. The first has the findings about the image.
    """
    found: list[CaseInspection] = []
    inspector: _CaseInspector | None = None
    for case in queries:
        inspector = _CaseInspector(case, data, tolerance, inspector)
        if data.card.embedded:
            inspector.attempt(partial(data.load, case))
        else:
            inspector.inspect_images()
            inspector.inspect_label()
        found.append(CaseInspection(inspector.findings, inspector.files, inspector.signature, inspector.classes))
    return found


def sign_case(case: Case, data: SegDataModule) -> ImageSignature | None:
    """Compute the signature of the image of a case on disk; None where a channel cannot be read."""
    inspector = _CaseInspector(case, data, TOLERANCE)
    inspector.inspect_images()
    return inspector.signature


class _CaseInspector:
    """Inspects one case. It holds one array at a time, and of earlier files only a geometry and the signatures.

    Args:
        case: The case.
        data: The data set.
        tolerance: See `datamodules.verify.inspect`.
        before: The inspector of the query before, of the same image, which is not read again; None for the first.
    """

    def __init__(self, case: Case, data: SegDataModule, tolerance: float, before: _CaseInspector | None = None) -> None:
        self.case, self.data, self.tolerance, self.before = case, data, tolerance, before
        self.findings: list[Finding] = []
        self.files = 0
        self.signature: ImageSignature | None = None
        self.classes: frozenset[int] | None = None
        self._first: tuple[Path, Geometry] | None = None

    def attempt(self, check: Callable[[], T]) -> T | None:
        """Return the result of a check. If the check fails, its fault becomes a finding."""
        try:
            return check()
        except DataError as error:
            self.findings.append(Finding.of(error, self.case.case_id))
            return None

    def inspect_images(self) -> None:
        """Check that each channel is readable, finite and not constant, and has the grid of the first channel."""
        if self.before is not None and self.before.case.images == self.case.images:
            self.signature, self._first = self.before.signature, self.before._first
            return
        signatures = [self._inspect_image(path) for path in self.case.images if path.is_file()]
        readable = [signature for signature in signatures if signature is not None]
        if readable and len(readable) == len(self.case.images):
            self.signature = readable[0].join(readable[1:])

    def inspect_label(self) -> None:
        """Check that the label is readable, has known values and the grid of the image, and fits the caption."""
        path = self.case.label
        if path is not None and path.is_file() and self._has_own_labels():
            self._inspect_own_label(path)
            return
        found = self.attempt(lambda: self.data.reader.label(path)) if path is not None and path.is_file() else None
        if path is None or found is None:
            return
        from zoo.preprocessing.apply import to_classes  # loads torch, which importing this package must not do

        values, geometry = found
        self._read(path, geometry)
        classes = self.attempt(lambda: to_classes(values, self.data.labels, path))
        if classes is not None:
            self._inspect_mask(path, values > 0)
            if self.data.labels.exclusive:
                self.classes = frozenset(np.flatnonzero(np.bincount(classes.ravel())[1:]).tolist())
            else:
                self.classes = _list_present(classes > 0)

    def _has_own_labels(self) -> bool:
        """Whether the data set reads labels in a way of its own, such as one channel of a file per query."""
        from datamodules.bases.base import SegDataModule  # loads torch, which importing this package must not do

        return type(self.data).load_label is not SegDataModule.load_label

    def _inspect_own_label(self, path: Path) -> None:
        """Check a label that only the data set can read; it needs a readable image."""
        if self._first is None:
            return
        geometry = self._first[1]
        native = self.attempt(lambda: self.data.load_label(self.case, geometry))
        self.files += int(self.before is None or self.before.case.label != path)  # one file may hold all masks
        if native is not None:
            mask = native == 1
            self.classes = _list_present(mask)
            self._inspect_mask(path, mask.any(axis=0))

    def _inspect_image(self, path: Path) -> ImageSignature | None:
        """Compute the signature of one image file; the array is freed at the end of this call."""
        found = self.attempt(lambda: self.data.reader.image(path))
        if found is None:
            return None
        array, geometry = found
        self._read(path, geometry)
        self._check_contrast(path, array)
        return compute_signature(self.case, array)

    def _read(self, path: Path, geometry: Geometry) -> None:
        self.files += len(self.data.reader.files(path))
        if self._first is None and path in self.case.images:
            self._first = (path, geometry)
        elif self._first is not None:
            image, image_geometry = self._first
            self.attempt(lambda: check_same_grid(path, geometry, image, image_geometry, self.tolerance))

    def _check_contrast(self, path: Path, array: NDArray[np.float32]) -> None:
        """Check that no channel of a volume is constant. Of a picture, a single colour channel may be constant."""
        channels = array.reshape(len(array), -1) if array.ndim == 4 else array.reshape(1, -1)
        for number, values in enumerate(channels, start=1):
            if values.size and values.min() == values.max():
                which = f"all values of channel {number} are" if len(channels) > 1 else "all values are"
                self._add(path, "constant_image", f"{which} {values[0]:g}", "Download the file again.")

    def _inspect_mask(self, path: Path, mask: NDArray[np.bool_]) -> None:
        if not mask.any() and not self.data.card.empty_masks:
            fix = "Correct or remove the case; where empty masks are right, write `empty_masks: true` on the data card."
            which = f" of query {self.case.query}" if self.case.query else ""
            self._add(path, "empty_mask", f"the mask{which} is empty", fix)
        report = self.case.report
        if report and mask.any() and self.data.card.track == "mask-derived" and says_nothing_is_there(report):
            problem = f"the caption says '{report}', but the mask is not empty"
            self._add(path, "absence_contradiction", problem, "Correct the caption or the mask.")
        if report and self.data.card.has_reports and low_is_left(self.data.card) is not None:
            problem = find_contradiction(report, mask, self.data.card)
            if problem:
                whose = self.data.card.laterality
                fix = f"Correct the caption or the mask; on the card, left is the left of the {whose}."
                self._add(self.case.images[0], SIDE_CONTRADICTION, problem, fix)

    def _add(self, path: Path, kind: Fault, problem: str, fix: str) -> None:
        self.findings.append(Finding(self.case.case_id, str(path), kind, f"{path}: {problem}.", fix))


def _list_present(masks: NDArray[np.bool_]) -> frozenset[int]:
    """Return the numbers, from 0, of the masks [K, *S] with a voxel."""
    return frozenset(np.flatnonzero(masks.reshape(len(masks), -1).any(axis=1)).tolist())
