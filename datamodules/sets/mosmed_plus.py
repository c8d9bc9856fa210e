"""MosMedData+ with captions: infection in CT slices, in the layout of LViT or as published on Kaggle."""

from __future__ import annotations

import re
from functools import cached_property
from pathlib import Path

from datamodules.bases.image_dataset import (
    SliceDataModule,
    caption_table,
    existing_ids,
    folder_of_splits,
    lvit_cases,
    paired_cases,
    picture_folders,
    pictures_in,
    split_folders,
)
from datamodules.files.caption_tables import read_captions
from datamodules.index.splits import SPLITS, Split, cut_by_subject, make_split
from zoo.errors import DataError
from zoo.types import Case

_SLICE = re.compile(r"_\d+$")
_POOLED = "bjorke"
_NAMES = ("MosMedData", "MosMedData+", "MosMedDataPlus", "MosMedPlus", "MosMed")


class MosMedPlus(SliceDataModule):
    """Slices of 512x512, resized to `patch`; a slice without infection has an empty mask and a report of it.

    There are two layouts: `{Train,Val,Test}_Folder/{img,labelcol}` with one table each, and `frames` and `masks` with
    the same file names, where the tables `{Train,Val,Test}_text*` beside them define the splits.

    The gray values of the masks are not documented. LViT reads every value above 0 as infection. Here masks must be
    black and white (0 and 255, or 0 and 1); smooth edges are divided at half of white. All other masks are refused.
    """

    name = "mosmed_plus"
    black_white = True

    def list_cases(self) -> list[Case]:
        """The cases of all splits: first in the order of the captions, then images without a caption."""
        return [case for split in SPLITS for case in self._splits[split]]

    def split_cases(self, cases: list[Case]) -> Split:
        """`study`: whole studies, shuffled once. `published`: the published splits, which share studies."""
        if self.protocol == "published":
            return make_split(self.protocol, existing_ids(self._splits, cases), cases)
        # slices of many people have this one name, so that all of them are in train and in no other split
        pooled = [case.case_id for case in cases if case.subject == _POOLED]
        split = cut_by_subject(self.protocol, [case for case in cases if case.subject != _POOLED])
        case_ids = {"train": (*split.train, *pooled), "val": split.val, "test": split.test}
        return make_split(self.protocol, case_ids, cases)

    @cached_property
    def _splits(self) -> dict[str, list[Case]]:
        """The cases of each split."""
        root = folder_of_splits(self.folder, _NAMES)
        if split_folders(root, "Train"):
            return {split: lvit_cases(root, split.capitalize(), study) for split in SPLITS}
        return self._splits_of_tables()

    def _splits_of_tables(self) -> dict[str, list[Case]]:
        """The splits of one folder of frames, by the tables. A frame that no table names counts as train."""
        candidates = [self.folder, *sorted(path for path in self.folder.iterdir() if path.is_dir())]
        folders = next((found for one in candidates if (found := picture_folders(one))), None)
        if folders is None:
            raise DataError(
                f"{self.folder}: neither Train_Folder/img nor frames and masks in it.",
                "Give the folder that contains them; see `zoo data prepare mosmed_plus --steps`.",
            )
        captions = {split: self._captions(folders[0].parent, split.capitalize()) for split in SPLITS}
        named = {Path(name).stem for rows in captions.values() for name, _ in rows}
        unnamed = set(pictures_in(folders[0])) - named
        return {
            split: paired_cases([folders], rows, study, extra=unnamed if split == "train" else ())
            for split, rows in captions.items()
        }

    def _captions(self, beside: Path, split: str) -> list[tuple[str, str]]:
        table = caption_table(self.folder, split) or caption_table(beside, split)
        if table is None:
            raise DataError(
                f"{self.folder}: no captions for {split} ({split}_text*.xlsx or .csv).", "Get them where the card says."
            )
        return read_captions(table)


def study(stem: str) -> str:
    """The study of a slice: the name without the number ("Morozov_study_0255_12", "Jun_coronacases_case8_157")."""
    return _SLICE.sub("", stem)
