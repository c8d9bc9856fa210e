"""M3D-RefSeg: abnormal regions of CTs, each with the note of a doctor and with questions that ask for it."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datamodules.bases.volume import VolumeDataModule
from datamodules.files.json_files import load_json
from datamodules.files.region_tables import Region, read_regions
from datamodules.index.splits import Split, cut_by_subject, hold_out_val
from datamodules.loading.last_used import LastUsed
from zoo.errors import DataError, UnknownNameError
from zoo.io.same_grid import check_same_voxels
from zoo.preprocessing.spec import PreprocessingSpec
from zoo.types import Case, Geometry

TRAIN, TEST, ALL = ("M3D_RefSeg_train.csv", "M3D_RefSeg.csv"), "M3D_RefSeg_test.csv", "M3D_RefSeg_all.csv"
"""The tables. The program of the authors names that of the training without `_train`."""

NOTES = "text.json"
TEXTS = ("note", "question")

_WINDOW = (-1000.0, 1000.0)
log = logging.getLogger(__name__)


class M3DRefSeg(VolumeDataModule):
    """One CT per case, one query per region.

    A region is a value of `mask.nii.gz`. Its note is in `text.json`: a doctor wrote it in Chinese, and a language model
    translated it. The tables have several questions per region, which a language model made of the note. A training
    draws among all texts of a region; val and test have one.

    Protocols: `official` reports the regions of `M3D_RefSeg_test.csv`; cases of it are left out of the training, of
    which a tenth is val. `by_case` divides the cases of all tables.

    CT and masks stay on their own grid. The authors' program resizes them to 32x256x256, which can lose small regions.

    Args:
        texts: "note": the text of a query is the note. "question": it is the first question, and notes are not read.
        **kwargs: See `VolumeDataModule`.
    """

    name = "m3d_refseg"
    listed = True

    def __init__(self, texts: str = "note", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if texts not in TEXTS:
            raise UnknownNameError("--data.texts", texts, TEXTS, f"zoo show {self.name}")
        self.texts = texts
        self._maps: LastUsed[tuple[NDArray[np.int32], Geometry]] = LastUsed()

    def preprocessing(self) -> PreprocessingSpec:
        """Window and spacing."""
        return PreprocessingSpec(window=_WINDOW, spacing=self.spacing)

    def list_cases(self) -> list[Case]:
        """One case per region."""
        notes: dict[str, Mapping[str, str]] = {}
        return [self._case_of(region, notes) for region in self._regions]

    def split_cases(self, cases: list[Case]) -> Split:
        """The cases of the test table, or all cases divided."""
        if self.protocol == "by_case":
            return cut_by_subject(self.protocol, cases)
        return hold_out_val(self.protocol, cases, {region.case for region in self._reported})

    def load_label(self, case: Case, geometry: Geometry) -> NDArray[np.uint8] | None:
        """The voxels with the value of a region.

        Raises:
            DataError: The label map cannot be read, or has another grid than the CT.
        """
        if case.label is None:
            return None
        path = case.label
        values, other = self._maps.get(path, lambda: self.reader.label(path))
        check_same_voxels(path, other, case.images[0], geometry)
        mask: NDArray[np.uint8] = (values == int(case.query)).astype(np.uint8)
        return mask[None]

    def _case_of(self, region: Region, notes: dict[str, Mapping[str, str]]) -> Case:
        """The case of a region; `notes` keeps those of each folder."""
        folder, query = self._folder / region.case, str(region.value)
        texts = region.questions
        if self.texts == "note" and folder.is_dir():
            if region.case not in notes:
                notes[region.case] = _read_notes(folder / NOTES)
            if not notes[region.case].get(query):
                problem = f"{folder / NOTES}: no note for the mask {query}, which a table names."
                raise DataError(problem, "Give --data.texts question, which reads the tables alone.", "caption_missing")
            texts = tuple(dict.fromkeys([notes[region.case][query], *texts]))
        image, mask = folder / region.image, folder / region.mask
        return Case(region.case, (image,), mask, region.case, texts[0], query, texts[1:])

    @cached_property
    def _regions(self) -> list[Region]:
        """The regions of the protocol: of the training without the cases of the test, and of the test."""
        if self.protocol == "by_case":
            every = self._table(ALL)
            return read_regions([every] if every.is_file() else [self._training_table, self._table(TEST)])
        reported = {region.case for region in self._reported}
        training = read_regions([self._training_table])
        kept = [region for region in training if region.case not in reported]
        if len(kept) < len(training):
            log.info(
                "%s: %d of %d training regions are in cases of the test table and are left out",
                self.name,
                len(training) - len(kept),
                len(training),
            )
        return [*kept, *self._reported]

    @cached_property
    def _reported(self) -> list[Region]:
        return read_regions([self._table(TEST)])

    @property
    def _training_table(self) -> Path:
        found = [path for name in TRAIN if (path := self._table(name)).is_file()]
        return found[0] if found else self._table(TRAIN[0])

    def _table(self, name: str) -> Path:
        """The path of a table: beside the folder of the cases, or in it."""
        places = [self.folder / name, self._folder / name]
        return next((path for path in places if path.is_file()), places[0])

    @cached_property
    def _folder(self) -> Path:
        """The folder of the cases, whose archive has one folder around them."""
        inner = self.folder / "M3D_RefSeg"
        return inner if inner.is_dir() else self.folder


def _read_notes(path: Path) -> dict[str, str]:
    """Read the notes of a case, by the value of their region.

    Raises:
        DataError: The file is missing, or has another form.
    """
    fix = "Get it again, or give --data.texts question, which reads the tables alone."
    content = load_json(path, fix, fix)
    if not isinstance(content, dict) or not all(isinstance(text, str) for text in content.values()):
        raise DataError(f"{path}: no `{{mask: text}}` in it.", fix, "unreadable")
    return {key: text.strip() for key, text in content.items()}
