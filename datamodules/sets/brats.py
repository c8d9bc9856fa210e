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
from datamodules.files.nifti_layout import find_volume, list_volumes
from datamodules.index.splits import Split, cut_by_subject
from zoo.errors import DataError
from zoo.io.readers import Reader
from zoo.preprocessing.spec import PreprocessingSpec
from zoo.types import Case, Geometry

OLD, NEW = ("t1", "t1ce", "t2", "flair"), ("t1n", "t1c", "t2w", "t2f")
"""The channels in their order, as files end up to 2021 and from 2023."""

CAVITY = 4
"""The resection cavity in the post-operative sets from 2024."""

_FOLDER_OLD = re.compile(r"brats\d\d(\d\d)?_.+", re.IGNORECASE)
_FOLDER_NEW = re.compile(r"BraTS-([A-Za-z]+)-\d+-\d+")
_SAME_LABELS = ("GLI", "SSA", "MEN", "MET")
"""The sub-challenges from 2023 whose labels are those of the glioma: the children's (PED) are numbered otherwise."""
_VISIT = re.compile(r"-\d+$")
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class BratsReader(Reader):
    """Labels as from 2023 on: 1 necrotic and non-enhancing core, 2 oedema, 3 enhancing.

    Attributes:
        enhancing: The file's value of the enhancing tumour, 4 up to 2021.
        cavity: Whether 4 is the resection cavity, which lies in none of the regions.
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
            told = f"In this layout the enhancing tumour is {self.enhancing}: known are {list(known)}."
            if strange == [CAVITY]:
                told += " 4 is the resection cavity after surgery (2024): --data.cavity true reads it as background."
            raise DataError(f"{path}: unexpected label values {strange[:8]}.", told, "label_values")
        return np.where(array == self.enhancing, np.int32(3), array), geometry


class BraTS(VolumeDataModule):
    """A folder a visit, anywhere in `root`, in one of two layouts.

    Up to 2021 `BraTS20xx_*/BraTS20xx_*_{t1,t1ce,t2,flair,seg}.nii.gz`, from 2023
    `BraTS-GLI-xxxxx-xxx/BraTS-GLI-xxxxx-xxx-{t1n,t1c,t2w,t2f,seg}.nii.gz`, packed or not. A part in which
    no folder has a label (the validation part) is left out. Where a subject has all sequences and no `seg`, one
    further volume with "seg" in its name is the label: in 2020 subject 355 has `W39_1998.09.19_Segm.nii`.
    The resection cavity of 2024's post-operative glioma, value 4, is no class here: it is refused, or background
    where `cavity` says so, as in 2024's own whole tumour (1, 2, 3) and core (1, 3).

    Volumes are skull-stripped at 1 mm. They are cropped to the head and each channel is normalised alone, as
    is usual, but over the box of the head, the zeros around the brain included.

    Args:
        cavity: Read the label value 4 of the layout from 2023 as background, the resection cavity.
        **kwargs: See `VolumeDataModule`.
    """

    name = "brats"

    def __init__(self, cavity: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.cavity = cavity

    def preprocessing(self) -> PreprocessingSpec:
        """Cropped to the head, each channel normalised."""
        return PreprocessingSpec(crop_above=0.0, spacing=self.spacing)

    @cached_property
    def reader(self) -> BratsReader:
        """By the layout at hand."""
        new = self._layout == "new"
        return BratsReader(self.dropped_values, 3 if new else 4, new and self.cavity)

    def list_cases(self) -> list[Case]:
        """Every labelled visit, by name."""
        ends, dash = (NEW, "-") if self._layout == "new" else (OLD, "_")
        homes = self._homes[self._layout]
        labels = {home: _label(home, f"{home.name}{dash}", ends) for home in homes}
        labelled = {home.parent for home in homes if labels[home].is_file()}
        cases = []
        for home in homes:
            name, label = home.name, labels[home]
            if not label.is_file() and home.parent not in labelled:  # the validation part comes without
                continue
            images = tuple(find_volume(home, f"{name}{dash}{end}") for end in ends)
            cases.append(Case(name, images, label, subject=_VISIT.sub("", name) if self._layout == "new" else name))
        if not cases:
            raise DataError(
                f"{self.folder}: no subject with a seg file in it.", "Give the folder of the training part."
            )
        return cases

    def split_cases(self, cases: list[Case]) -> Split:
        """72 % train, 8 % val, 20 % test of the subjects, shuffled once; a subject's visits stay together."""
        return cut_by_subject(self.protocol, cases)

    @cached_property
    def _homes(self) -> dict[str, list[Path]]:
        folders = [path for path in sorted(self.folder.rglob("*")) if path.is_dir()]
        new = [path for path in folders if _FOLDER_NEW.fullmatch(path.name)]
        for path in new:
            part = path.name.split("-")[1].upper()
            if part not in _SAME_LABELS:
                raise DataError(
                    f"{path}: the labels of BraTS-{part} are numbered otherwise than the glioma's.",
                    f"Give a folder of {', '.join(_SAME_LABELS)}; others go by --data nifti_folder.",
                )
        old = [path for path in folders if _FOLDER_OLD.fullmatch(path.name) and any(path.glob(f"{path.name}_*.nii*"))]
        return {"old": old, "new": new}

    @cached_property
    def _layout(self) -> str:
        """Either "old", up to 2021, or "new", from 2023: it tells which value is the enhancing tumour.

        Raises:
            DataError: Both are there, or none.
        """
        found = [layout for layout, homes in self._homes.items() if homes]
        if len(found) > 1:
            old, new = self._homes["old"][0], self._homes["new"][0]
            raise DataError(
                f"{old}: the layout up to 2021, but {new} is that from 2023, where the enhancing tumour has another "
                "label value.",
                "Give the folder of one of them.",
            )
        if not found:
            raise DataError(
                f"{self.folder}: no BraTS20xx_* and no BraTS-GLI-* folders in it.", "Give the folder that holds them."
            )
        return found[0]


def _label(home: Path, start: str, ends: Sequence[str]) -> Path:
    """The label of a visit: its `seg`, or what must be meant by it."""
    due = find_volume(home, f"{start}seg")
    if due.is_file():
        return due
    known = {f"{start}{end}" for end in ends}
    found = list_volumes(home)
    strange = [path for name, path in found.items() if name not in known and re.search("seg", name, re.IGNORECASE)]
    if known <= found.keys() and len(strange) == 1:
        log.warning("%s: taken for the label, which has another name than %s", strange[0], due.name)
        return strange[0]
    return due
