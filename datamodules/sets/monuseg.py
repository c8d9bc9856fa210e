"""MoNuSeg with captions: nuclei in stained tissue, in the layout of LViT."""

from __future__ import annotations

import re

from datamodules.bases.image_dataset import SliceDataModule, existing_ids, folder_of_splits, lvit_cases
from datamodules.index.splits import SPLITS, Split, make_split
from zoo.types import Case

_PATIENT = re.compile(r"TCGA-[A-Z0-9]{2}-[A-Z0-9]{4}", re.IGNORECASE)


class MoNuSeg(SliceDataModule):
    """Colour images of 1000x1000 from The Cancer Genome Atlas, resized to `patch` as LViT does.

    The layout is `{Train,Val,Test}_Folder/{img,labelcol}` with `*_text.xlsx` in each; an image is `.png` or
    `.tif`, its mask `.png`. The first three fields of a TCGA name are the patient.

    The gray values of the masks are not documented. LViT reads every value above 0 as nucleus; other readers of this
    layout use values above 127. Here masks must be black and white (0 and 255, or 0 and 1); smooth edges are divided at
    half of white. All other masks are refused, for example masks with one number per nucleus.
    """

    name = "monuseg"
    black_white = True

    def list_cases(self) -> list[Case]:
        """The cases of the three folders, each in the order of its captions."""
        return [case for split in SPLITS for case in self._folder_cases(split)]

    def split_cases(self, cases: list[Case]) -> Split:
        """The three folders as they are."""
        return make_split(
            self.protocol, existing_ids({split: self._folder_cases(split) for split in SPLITS}, cases), cases
        )

    def _folder_cases(self, split: str) -> list[Case]:
        return lvit_cases(folder_of_splits(self.folder, ["MoNuSeg"]), split.capitalize(), patient)


def patient(stem: str) -> str:
    """The patient of a TCGA slide's name; another name is a patient of its own."""
    found = _PATIENT.match(stem)
    return found.group().upper() if found else stem
