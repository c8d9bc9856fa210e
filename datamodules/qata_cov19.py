"""QaTa-COV19 v2 with captions: infection in chest X-rays, in the layouts of LanGuideMedSeg and of LViT."""

from __future__ import annotations

import re

from datamodules.slices import LVIT, Layout, SliceDataModule, lvit_cases
from datamodules.splits import Split, make_split
from zoo.types import Case

_SUBJECT = re.compile(r"sub-s\d+", re.IGNORECASE)
_LAYOUTS = (Layout("{part}/Images", "{part}/GTs", "prompt/{small}.csv"), LVIT)


class QataCov19(SliceDataModule):
    """Images of 224x224, resized to `patch`; one sentence each that was written from the mask.

    Two layouts are known: `{Train,Test}/{Images,GTs}` with `prompt/{train,test}.csv`, and
    `{Train,Val,Test}_Folder/{img,labelcol}` with an xlsx (or CSV) of captions for each folder, or one
    `Train_Val_text.xlsx`. A mask is `mask_<image>.png` of exactly 0 and 255. Files named `covid_N` bear no
    subject; each is taken for its own.
    """

    name = "qata_cov19"

    def index(self) -> list[Case]:
        """The cases of all folders; within each the order of its captions, then images without one."""
        return [case for part in ("Train", "Val", "Test") for case in self._folder_cases(part)]

    def cut(self, cases: list[Case]) -> Split:
        """`file_order`: the last fifth of the training images by name is val. `lvit`: the folders as they are."""
        homes: dict[str, list[str]] = {"Train": [], "Val": [], "Test": []}
        for case in cases:
            homes[self._home(case)].append(case.case_id)
        if self.protocol == "lvit":
            return make_split(
                self.protocol, {"train": homes["Train"], "val": homes["Val"], "test": homes["Test"]}, cases
            )
        train = homes["Train"] + homes["Val"]
        if homes["Val"]:  # two tables have no common order; the published one is by name
            train.sort()
        first = int(0.8 * len(train))
        return make_split(self.protocol, {"train": train[:first], "val": train[first:], "test": homes["Test"]}, cases)

    def _home(self, case: Case) -> str:
        return case.images[0].relative_to(self.folder).parts[0].removesuffix("_Folder")

    def _folder_cases(self, part: str) -> list[Case]:
        optional = part == "Val"
        return lvit_cases(self.folder, part, _subject, optional=optional, layouts=_LAYOUTS, mask="mask_{}")


def _subject(stem: str) -> str:
    found = _SUBJECT.search(stem)
    return found.group().lower() if found else stem
