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
    """Slices of 512x512, resized to `patch`; a slice without infection has an empty mask and says so.

    Two layouts are known: `{Train,Val,Test}_Folder/{img,labelcol}` with a table each, and `frames` and
    `masks` with the same file names, where the tables `{Train,Val,Test}_text*` beside them make the parts.

    Which grays the masks hold is nowhere said; LViT takes any above 0 for infection. Here black and white are read
    (as 0 and 255, or 0 and 1), smoothed edges between them parted at half of white, and what is neither refused.
    """

    name = "mosmed_plus"
    black_white = True

    def list_cases(self) -> list[Case]:
        """The cases of all parts; within each the order of its captions, then images without one."""
        return [case for part in SPLITS for case in self._parts[part]]

    def split_cases(self, cases: list[Case]) -> Split:
        """`study`: whole studies, shuffled once. `published`: the parts as they come, which share studies."""
        if self.protocol == "published":
            return make_split(self.protocol, existing_ids(self._parts, cases), cases)
        # slices of many people bear this one name: it is always trained on, so that it can be in no other part
        pooled = [case.case_id for case in cases if case.subject == _POOLED]
        split = cut_by_subject(self.protocol, [case for case in cases if case.subject != _POOLED])
        parts = {"train": (*split.train, *pooled), "val": split.val, "test": split.test}
        return make_split(self.protocol, parts, cases)

    @cached_property
    def _parts(self) -> dict[str, list[Case]]:
        """The cases of each part."""
        home = folder_of_splits(self.folder, _NAMES)
        if split_folders(home, "Train"):
            return {part: lvit_cases(home, part.capitalize(), study) for part in SPLITS}
        return self._pooled_parts()

    def _pooled_parts(self) -> dict[str, list[Case]]:
        """The parts of one folder of frames: by the tables; a frame in no table is found among those of train."""
        homes = [self.folder, *sorted(path for path in self.folder.iterdir() if path.is_dir())]
        folders = next((found for home in homes if (found := picture_folders(home))), None)
        if folders is None:
            raise DataError(
                f"{self.folder}: neither Train_Folder/img nor frames and masks in it.",
                "Give the folder that holds them; the layouts stand in `zoo show mosmed_plus`.",
            )
        captions = {part: self._captions(folders[0].parent, part.capitalize()) for part in SPLITS}
        named = {Path(name).stem for rows in captions.values() for name, _ in rows}
        unnamed = set(pictures_in(folders[0])) - named
        return {
            part: paired_cases([folders], rows, study, extra=unnamed if part == "train" else ())
            for part, rows in captions.items()
        }

    def _captions(self, beside: Path, part: str) -> list[tuple[str, str]]:
        table = caption_table(self.folder, part) or caption_table(beside, part)
        if table is None:
            raise DataError(
                f"{self.folder}: no captions for {part} ({part}_text*.xlsx or .csv).", "Get them where the card says."
            )
        return read_captions(table)


def study(stem: str) -> str:
    """The study of a slice: its name without the number ("Morozov_study_0255_12", "Jun_coronacases_case8_157")."""
    return _SLICE.sub("", stem)
