"""TotalSegmentator: 117 structures in CT and 50 in MR, with one file of a binary mask per structure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datamodules.bases.volume import VolumeDataModule, registered_name
from datamodules.files.nifti_layout import find_root, find_volume, list_folders, list_volumes
from datamodules.index.splits import SPLITS, Split, cut_by_subject, hold_out_val, make_split
from zoo.errors import ConfigError, DataError
from zoo.io.readers import Reader
from zoo.io.same_grid import check_same_voxels
from zoo.io.tables import read_numbered_rows
from zoo.preprocessing.spec import PreprocessingSpec
from zoo.types import Case, Geometry

GROUPS = {
    "ct": ("all", "organs", "vertebrae", "cardiac", "muscles", "ribs"),
    "mr": ("all", "organs", "muscles"),
}
"""The groups of structures of each modality, as the authors divide them among their networks."""

IMAGES = {"ct": "ct", "mr": "mri"}
"""Name of the image file of a case without its suffix."""

MASKS = "segmentations"
"""The folder of the masks of a case."""

_OTHER_RELEASES = {"vertebrae_L6": "3", "heart_atrium_left": "1"}
"""Masks that only another release of the CT data has, and its number."""

_CASE = re.compile(r"s\d+")


@dataclass(frozen=True)
class MaskFilesReader(Reader):
    """Reads the masks of a case, one file per class, as one label map.

    A voxel of several masks belongs to the last of them, as in the authors' script of conversion. Every value above 0
    belongs to a mask.

    Attributes:
        masks: The names of the files without suffix; the first one has the value 1.
    """

    masks: tuple[str, ...] = ()

    def label(self, path: Path) -> tuple[NDArray[np.int32], Geometry]:
        """See `Reader.label`; `path` is the file of any mask of the case.

        Raises:
            DataError: As `Reader.label`, or the mask of a class is missing or has another grid than the first mask.
        """
        first = find_volume(path.parent, self.masks[0])
        merged, geometry = super().label(first)
        merged = (merged > 0).astype(np.int32)
        for value, name in enumerate(self.masks[1:], start=2):
            file = find_volume(path.parent, name)
            mask, other = super().label(file)
            check_same_voxels(file, other, first, geometry)
            merged[mask > 0] = value
        return merged, geometry

    def files(self, path: Path) -> list[Path]:
        """See `Reader.files`; all masks of a case belong to the file of any of them."""
        return [find_volume(path.parent, name) for name in self.masks] if path.parent.name == MASKS else [path]


class TotalSegmentator(VolumeDataModule):
    """Folders `s0000` with `ct.nii.gz` or `mri.nii.gz` and `segmentations/<structure>.nii.gz`, beside `meta.csv`.

    `root` is the folder that contains them, or a folder above it. A folder is one subject. A structure out of view has
    an empty mask. The masks of a group are merged without those of the other groups, as the authors do.

    CT: -1000 to 1000 HU, from air to bone (our choice). MR: each volume is normalised alone.

    Args:
        modality: "ct" or "mr": the same as `--data totalseg` or `totalseg_mr`.
        group: One of `GROUPS[modality]`; "organs" is the same as `--data totalseg_organs` or `totalseg_mr_organs`.
        **kwargs: See `VolumeDataModule`.
    """

    listed = True

    def __init__(self, modality: str = "ct", group: str = "all", **kwargs: Any) -> None:
        if modality not in GROUPS:
            raise ConfigError(f"--data.modality '{modality}' is not one of {', '.join(GROUPS)}.", "Give one of them.")
        base = "totalseg" if modality == "ct" else f"totalseg_{modality}"
        self.name = registered_name(base, "--data.group", group, GROUPS[modality])
        super().__init__(**kwargs)
        self.modality, self.group = modality, group

    @cached_property
    def reader(self) -> MaskFilesReader:
        """Merges the masks of the classes of the card, in their order."""
        return MaskFilesReader(self.dropped_values, tuple(mask_name(name) for name in self.card.classes))

    def preprocessing(self) -> PreprocessingSpec:
        """By the modality."""
        return PreprocessingSpec(window=(-1000.0, 1000.0) if self.modality == "ct" else None, spacing=self.spacing)

    def list_cases(self) -> list[Case]:
        """Every case of `meta.csv`; for the protocol `by_case`, every folder.

        Raises:
            DataError: There is no folder of a case, the folders are of another release, or `meta.csv` cannot be used.
        """
        found = list_folders(self._root, _CASE)
        self._check_release(next(iter(found.values())))
        names = sorted(self._parts if self.protocol == "official" else found)
        strange = sorted(found.keys() - set(names))
        if strange:
            fix = "Get the meta.csv of the same release, or choose --data.protocol by_case."
            raise DataError(f"{found[strange[0]]}: not in {self._table}.", fix, "split")
        return [self._case(name) for name in names]

    def split_cases(self, cases: list[Case]) -> Split:
        """`official`: the column `split` of `meta.csv`; without val cases there, val is a tenth of the train cases.

        `by_case`: 72 % train, 8 % val, 20 % test of the folders, shuffled once.
        """
        if self.protocol == "by_case":
            return cut_by_subject(self.protocol, cases)
        ids = {part: [case.case_id for case in cases if self._parts[case.case_id] == part] for part in SPLITS}
        if "val" not in self._parts.values():
            return hold_out_val(self.protocol, cases, set(ids["test"]))
        return make_split(self.protocol, ids, cases)

    def _case(self, name: str) -> Case:
        folder = self._root / name
        image, label = find_volume(folder, IMAGES[self.modality]), find_volume(folder / MASKS, self.reader.masks[0])
        return Case(name, (image,), label, subject=name)

    @cached_property
    def _root(self) -> Path:
        """The folder of the cases: `root`, or a folder in it."""
        lacks, fix = f"s0000/{MASKS} or other folder of a case", "Give the folder that contains s0000."
        return find_root(self.folder, lambda folder: bool(list_folders(folder, _CASE)), lacks, fix)

    def _check_release(self, folder: Path) -> None:
        """Refuse another release of the CT data, whose masks have other names.

        Raises:
            DataError: A mask is there that only another release has.
        """
        found = list_volumes(folder / MASKS)
        strange = next((name for name in _OTHER_RELEASES if name in found), None)
        if strange is not None and self.modality == "ct":
            problem = f"{found[strange]}: a mask of release {_OTHER_RELEASES[strange]}; the card is for release 2.0.1."
            raise DataError(problem, "Get Totalsegmentator_dataset_v201.zip.", "unreadable")

    @property
    def _table(self) -> Path:
        return self._root / "meta.csv"

    @cached_property
    def _parts(self) -> dict[str, str]:
        """The split of each case of `meta.csv`.

        Raises:
            DataError: The file is missing, lacks a column, names a case twice, or has an unknown split.
        """
        path, needed = self._table, "image_id and split"
        if not path.is_file():
            fix = "Get it from the archive, or choose --data.protocol by_case."
            raise DataError(f"{path}: no such file.", fix, "missing_file")
        header, rows = read_numbered_rows(path, needed)
        if not {"image_id", "split"} <= set(header):
            raise DataError(f"{path}: columns {header} lack {needed}.", "Get the file of the archive.", "unreadable")
        name, part = header.index("image_id"), header.index("split")
        parts: dict[str, str] = {}
        for number, row in rows:
            if not _CASE.fullmatch(row[name]) or row[part] not in SPLITS or row[name] in parts:
                problem = f"{path}: row {number}: case '{row[name]}' with split '{row[part]}'."
                fix = f"Name each case once, with one of the splits {', '.join(SPLITS)}."
                raise DataError(problem, fix, "case_twice" if row[name] in parts else "split")
            parts[row[name]] = row[part]
        return parts


def mask_name(name: str) -> str:
    """The name of the mask file of a class, without suffix: that of the class, with a capital before a number.

    Example:
        >>> mask_name("vertebrae_l5"), mask_name("kidney_right")
        ('vertebrae_L5', 'kidney_right')
    """
    return re.sub(r"(?<=vertebrae_)[clst](?=\d)", lambda found: found[0].upper(), name)
