"""MedCLIPSeg's packs: sixteen 2D data sets in one layout, with sheets of wrong, shorter and longer test captions.

The sheets were read in github.com/HealthX-Lab/MedCLIPSeg; the images and masks were not at hand.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from datamodules.bases.image_dataset import (
    SPLIT_FOLDERS,
    Layout,
    SliceDataModule,
    caption_table,
    existing_ids,
    folder_of_splits,
    lvit_cases,
    stem_of,
)
from datamodules.files.caption_tables import collect_or_raise, collect_or_warn, read_captions
from datamodules.files.listed_twice import keep_reported
from datamodules.index.splits import SPLITS, Split, cut_by_subject, hold_out_val, make_split
from datamodules.sets.polyps import sequence
from zoo.errors import DataError
from zoo.types import Case, CaseKey
from zoo.utils.hashing import hash_json

FOLDERS = {
    **{"kvasir": "Kvasir", "clinicdb": "ClinicDB", "colondb": "ColonDB", "cvc300": "CVC300", "bkai": "BKAI"},
    **{"busi": "BUSI", "busuc": "BUSUC", "busbra": "BUSBRA", "buid": "BUID", "udiat": "UDIAT"},
    **{"isic": "ISIC", "uwaterloo": "UWaterlooSkinCancer", "btmri": "BTMRI", "brisc": "BRISC"},
    **{"qata": "Covid19", "eus": "EUS"},
}
"""The folder of each set, which is also the name of its archive."""

SHEETS = {
    "contradict": "contradictory",
    "missing_location": "missing_location",
    "over_description": "overdescriptive",
    "under_description": "underdescriptive",
}
"""The sheet `Test_text_<name>` of each text control."""

COPIED_CAPTIONS = (
    "8737645be29e6f3c67fdf979ce88447965bc411fb4286c537f9349437b5a02d7",
    "5c3937d93bc8c747085495f7013bf167272df86c728ba058bf29be9c7ee76b77",
)
"""Hashes of names and captions in the sheets of CVC-300, test and train: CVC-ColonDB has the same for these names."""

_SUBJECTS: dict[str, Callable[[str], str]] = {
    "clinicdb": sequence,
    "eus": lambda stem: _name_part(stem, r"[A-Z]+\d+(?=_V\d+_)"),
    "busbra": lambda stem: _name_part(stem, r"bus_\d+(?=-)"),
    "qata": lambda stem: _name_part(stem, r"sub-s\d+").lower(),
}
_LAYOUT = Layout("{part}_Folder/img", "{part}_Folder/label", "Prompts_Folder/{part}_text.xlsx")


class MedCLIPSeg(SliceDataModule):
    """One pack: `{Train,Val,Test}_Folder/{img,label}` and `Prompts_Folder` with a sheet of captions for each part.

    `root` is the folder of the pack or the folder that contains it ("BUSI"). Masks are black and white. An image that
    two parts have counts for test before val before train; of two rows for one image, the first counts. Where the val
    part is empty, a tenth of train is val.

    `Test_text_contradictory`, `_missing_location`, `_overdescriptive` and `_underdescriptive` are the texts of the
    controls in `SHEETS`, for test cases alone. Two packs (`eus`, `qata`) have no such sheets.

    Args:
        subset: Name of the set on its card.
        **kwargs: See `SegDataModule`.
    """

    black_white = True

    def __init__(self, subset: str, **kwargs: Any) -> None:
        self.name = f"medclipseg_{subset}"
        super().__init__(**kwargs)
        self.subset = subset

    def list_cases(self) -> list[Case]:
        """The cases of all parts, each image in one split."""
        return [case for split in SPLITS for case in self._splits[split]]

    def split_cases(self, cases: list[Case]) -> Split:
        """`published`: the parts. Any other protocol keeps subjects together, and the test part where it can."""
        case_ids = existing_ids(self._splits, cases)
        test = frozenset(case_ids["test"])
        if not case_ids["train"]:
            problem = f"{self.home}: no image is left in train: those of Train_Folder are in Test_Folder too."
            fix = "Train on another data set that tests on these images, such as cvc300"
            raise DataError(problem, fix, "split")
        if self.protocol == "published" and case_ids["val"]:
            return make_split(self.protocol, case_ids, cases)
        tested = {case.subject for case in cases if case.case_id in test}
        shared = any(case.subject in tested for case in cases if case.case_id not in test)
        if self.protocol != "published" and shared:
            return cut_by_subject(self.protocol, cases)
        return hold_out_val(self.protocol, cases, test)

    def written_texts(self, control: str) -> Mapping[CaseKey, str] | None:
        """The captions of the sheet of a control; None for a control or pack without a sheet.

        Raises:
            DataError: The sheet cannot be read, or lacks a test case.
        """
        path = self._sheet(control)
        if path is None:
            return None
        cases = {case.case_id: case for case in self._splits["test"]}
        found = {stem_of(name, set(cases)): text for name, text in read_captions(path)}
        missing = [case for stem, case in cases.items() if not found.get(stem)]
        if missing:
            problem = f"{path}: no caption for {len(missing)} test images, such as {missing[0].images[0].name}."
            collect_or_raise(DataError(problem, "Get the sheet again.", "caption_missing"))
        return {case.key: found[stem] for stem, case in cases.items() if found.get(stem)}

    @cached_property
    def home(self) -> Path:
        """The folder with the folders of the parts."""
        return folder_of_splits(self.folder, (FOLDERS[self.subset], self.subset))

    @cached_property
    def _splits(self) -> dict[str, list[Case]]:
        """The cases of each split; an image is in one of them."""
        subject = _SUBJECTS.get(self.subset, str)
        splits, lists = {}, {}
        for split in SPLITS:
            part = split.capitalize()
            how: dict[str, Any] = {"optional": split == "val", "layouts": (_LAYOUT,), "keep_first": True}
            splits[split] = lvit_cases(self.home, part, subject, **how)
            lists[split] = caption_table(self.home, part) or self.home
            if self.subset == "cvc300":
                check_copied(lists[split], splits[split])
        return keep_reported(splits, lists)

    def _sheet(self, control: str) -> Path | None:
        if control not in SHEETS:
            return None
        folders = ["Prompts_Folder", "", *(name.format(part="Test") for name in SPLIT_FOLDERS)]
        names = [self.home / one / f"Test_text_{SHEETS[control]}{end}" for one in folders for end in (".xlsx", ".csv")]
        return next((path for path in names if path.is_file()), None)


def check_copied(path: Path, cases: list[Case]) -> None:
    """Note that the captions of CVC-300 are those that CVC-ColonDB has for images of the same names."""
    if cases and hash_captions(cases) in COPIED_CAPTIONS:
        problem = f"{path}: these are captions of CVC-ColonDB for images of the same names, not of CVC-300."
        fix = "They describe other images: use medclipseg_colondb, or a model without text."
        collect_or_warn(DataError(problem, fix, "captions_of_others"))


def hash_captions(cases: list[Case]) -> str:
    """The hash of the names and captions of cases."""
    return hash_json(sorted([case.case_id, case.report or ""] for case in cases if case.report))


def _name_part(stem: str, pattern: str) -> str:
    """The part of a name that tells the subject; the whole name where it has no such part."""
    found = re.match(pattern, stem, re.IGNORECASE)
    return found.group() if found else stem
