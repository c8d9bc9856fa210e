"""BraTS: overlapping tumour regions in four MR sequences, in the layouts up to 2021 and from 2023."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datamodules.bases.volume import VolumeDataModule
from datamodules.files import textbrats
from datamodules.files.nifti_layout import find_volume, list_volumes
from datamodules.index.splits import Split, cut_by_subject, make_split
from zoo.errors import DataError, UnknownNameError
from zoo.io.readers import Reader
from zoo.preprocessing.spec import PreprocessingSpec
from zoo.types import Case, Geometry

OLD, NEW = ("t1", "t1ce", "t2", "flair"), ("t1n", "t1c", "t2w", "t2f")
"""The endings of the files of the channels, in their order: up to 2021, and from 2023."""

REPORTS = {"none": "brats", "textbrats": "textbrats"}
"""The registered name by the value of `--data.reports`."""

CAVITY = 4
"""The label value of the resection cavity in the post-operative releases from 2024."""

_FOLDER_OLD = re.compile(r"brats\d\d(\d\d)?_.+", re.IGNORECASE)
_FOLDER_NEW = re.compile(r"BraTS-([A-Za-z]+)-\d+-\d+")
_SAME_LABELS = ("GLI", "SSA", "MEN", "MET")
"""The sub-challenges from 2023 with the label values of the glioma; that of children (PED) has other values."""
_VISIT = re.compile(r"-\d+$")
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class BratsReader(Reader):
    """Reads labels with the values from 2023: 1 necrotic and non-enhancing core, 2 oedema, 3 enhancing.

    Attributes:
        enhancing: The value of the enhancing tumour in the file; 4 up to 2021.
        cavity: Whether 4 is the resection cavity, which belongs to no region.
    """

    enhancing: int = 3
    cavity: bool = False

    def label(self, path: Path) -> tuple[NDArray[np.int32], Geometry]:
        """See `Reader.label`."""
        array, geometry = super().label(path)
        if self.cavity:
            array = np.where(array == CAVITY, np.int32(0), array)
        known = (0, 1, 2, self.enhancing)
        strange = sorted(set(np.unique(array).tolist()) - set(known))
        if strange:
            hint = f"In this layout the enhancing tumour is {self.enhancing}: known are {list(known)}."
            if strange == [CAVITY]:
                hint += " 4 is the resection cavity after surgery (2024): --data.cavity true reads it as background."
            raise DataError(f"{path}: unexpected label values {strange[:8]}.", hint, "label_values")
        return np.where(array == self.enhancing, np.int32(3), array), geometry


class BraTS(VolumeDataModule):
    """One folder per visit, anywhere in `root`, in one of two layouts.

    Up to 2021 `BraTS20xx_*/BraTS20xx_*_{t1,t1ce,t2,flair,seg}.nii.gz`, from 2023
    `BraTS-GLI-xxxxx-xxx/BraTS-GLI-xxxxx-xxx-{t1n,t1c,t2w,t2f,seg}.nii.gz`, packed or not. A
    folder in which no visit has a label (the validation data) is left out. Where a subject has all sequences and no
    `seg`, one further volume with "seg" in its name is the label: in 2020, subject 355 has `W39_1998.09.19_Segm.nii`.
    The resection cavity of the post-operative glioma of 2024, value 4, is no class here. It is refused, or read as
    background with `cavity`: the whole tumour (1, 2, 3) and the core (1, 3) of 2024 leave it out as well.

    Volumes are skull-stripped at 1 mm. They are cropped to the head, and each channel is normalised alone over the box
    of the head, with the zeros around the brain.

    With `reports` "textbrats", each visit of BraTS 2020 has the text of TextBraTS (`datamodules.files.textbrats`):
    `<visit>_flair_text.txt` anywhere in `root`. The channels stay in our order; the release has FLAIR first. The
    protocol `official` has the visits of `Train.json` and `Test.json`, `by_subject` all labelled visits.

    Args:
        cavity: Whether the label value 4 of the layout from 2023, the resection cavity, is read as background.
        reports: "none", or "textbrats", which is the same as `--data textbrats`.
        **kwargs: See `VolumeDataModule`.
    """

    name = "brats"

    def __init__(self, cavity: bool = False, reports: str = "none", **kwargs: Any) -> None:
        if reports not in REPORTS:
            raise UnknownNameError("--data.reports", reports, REPORTS, "zoo show textbrats")
        self.name = REPORTS[reports]
        super().__init__(**kwargs)
        self.cavity, self.reports = cavity, reports
        self.listed = reports != "none" and self.protocol == "official"

    def preprocessing(self) -> PreprocessingSpec:
        """Cropped to the head, each channel normalised."""
        return PreprocessingSpec(crop_above=0.0, spacing=self.spacing)

    @cached_property
    def reader(self) -> BratsReader:
        """By the layout of the folder."""
        new = self._layout == "new"
        return BratsReader(self.dropped_values, 3 if new else 4, new and self.cavity)

    def list_cases(self) -> list[Case]:
        """Every labelled visit, by name."""
        ends, dash = (NEW, "-") if self._layout == "new" else (OLD, "_")
        visits = self._visits[self._layout]
        labels = {visit: _label(visit, f"{visit.name}{dash}", ends) for visit in visits}
        labelled = {visit.parent for visit in visits if labels[visit].is_file()}
        cases = []
        for visit in visits:
            name, label = visit.name, labels[visit]
            if not label.is_file() and visit.parent not in labelled:  # the validation data have no labels
                continue
            images = tuple(find_volume(visit, f"{name}{dash}{end}") for end in ends)
            cases.append(Case(name, images, label, subject=_VISIT.sub("", name) if self._layout == "new" else name))
        if not cases:
            raise DataError(
                f"{self.folder}: no subject with a seg file in it.", "Give the folder of the training data."
            )
        if self.reports == "none":
            return cases
        return textbrats.add_texts(self.folder, cases, self._lists if self.listed else None)

    def split_cases(self, cases: list[Case]) -> Split:
        """The lists of TextBraTS, or 72 % train, 8 % val, 20 % test of the subjects; their visits stay together."""
        if not self.listed:
            return cut_by_subject(self.protocol, cases)
        existing = {case.case_id for case in cases}
        case_ids = {split: [name for name in names if name in existing] for split, names in self._lists.items()}
        return make_split(self.protocol, case_ids, cases)

    @cached_property
    def _lists(self) -> dict[str, list[str]]:
        return textbrats.read_lists(self.folder)

    @cached_property
    def _visits(self) -> dict[str, list[Path]]:
        folders = [path for path in sorted(self.folder.rglob("*")) if path.is_dir()]
        new = [path for path in folders if _FOLDER_NEW.fullmatch(path.name)]
        for path in new:
            challenge = path.name.split("-")[1].upper()
            if challenge not in _SAME_LABELS:
                raise DataError(
                    f"{path}: the labels of BraTS-{challenge} have other values than those of the glioma.",
                    f"Give a folder of {', '.join(_SAME_LABELS)}; read others with --data nifti_folder.",
                )
        old = [
            path
            for path in folders
            if _FOLDER_OLD.fullmatch(path.name) and any(name.startswith(f"{path.name}_") for name in list_volumes(path))
        ]
        return {"old": old, "new": new}

    @cached_property
    def _layout(self) -> str:
        """Either "old" (up to 2021) or "new" (from 2023), which decides the value of the enhancing tumour.

        Raises:
            DataError: The folder has both layouts or none.
        """
        found = [layout for layout, visits in self._visits.items() if visits]
        if len(found) > 1:
            old, new = self._visits["old"][0], self._visits["new"][0]
            raise DataError(
                f"{old}: the layout up to 2021, but {new} is that from 2023, where the enhancing tumour has another "
                "label value.",
                "Give the folder of one of them.",
            )
        if not found:
            raise DataError(
                f"{self.folder}: no BraTS20xx_* and no BraTS-GLI-* folders in it.",
                "Give the folder that contains them.",
            )
        return found[0]


def _label(visit: Path, start: str, ends: Sequence[str]) -> Path:
    """The label of a visit: its `seg`, or the only volume that can be the label."""
    expected = find_volume(visit, f"{start}seg")
    if expected.is_file():
        return expected
    known = {f"{start}{end}" for end in ends}
    found = list_volumes(visit)
    strange = [path for name, path in found.items() if name not in known and re.search("seg", name, re.IGNORECASE)]
    if known <= found.keys() and len(strange) == 1:
        log.warning("%s: used as the label, although its name is not %s", strange[0], expected.name)
        return strange[0]
    return expected
