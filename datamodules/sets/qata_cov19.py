"""QaTa-COV19 v2 with captions: infection in chest X-rays, in three layouts."""

from __future__ import annotations

import logging
import re
from functools import cached_property
from pathlib import Path

from datamodules.bases.image_dataset import LVIT, Layout, SliceDataModule, existing_ids, lvit_cases, split_folders
from datamodules.index.splits import Split, make_split
from zoo.errors import DataError
from zoo.io.tables import read_table
from zoo.types import Case

log = logging.getLogger(__name__)

_SUBJECT = re.compile(r"sub-s\d+", re.IGNORECASE)
_LAYOUTS = (
    Layout("{part}/Images", "{part}/GTs", "prompt/{small}.csv"),
    LVIT,
    Layout("{part} Set/Images", "{part} Set/Ground-truths", "{part}_text_for_Covid19.xlsx"),
)
_ARCHIVE = ("", "Covid19", "QaTa-COV19-v2", "QaTa-COV19/QaTa-COV19-v2")


class QataCov19(SliceDataModule):
    """Images of 224x224, resized to `patch`, each with one sentence that was written from the mask.

    There are three layouts:

    - LanGuideMedSeg's `{Train,Test}/{Images,GTs}` with `prompt/{train,test}.csv`;
    - LViT's `{Train,Val,Test}_Folder/{img,labelcol}` with an xlsx (or CSV) of captions for each folder, or one
      `Train_Val_text.xlsx`;
    - the authors' own, `QaTa-COV19/QaTa-COV19-v2/{Train,Test} Set/{Images,Ground-truths}`, with LViT's
      `{Train,Test}_text_for_Covid19.xlsx` in the root, and its `Val_ID.xlsx` for the protocol `lvit`.

    A mask is `mask_<image>.png` of exactly 0 and 255. Files named `covid_N` have no subject; each is a
    subject of its own.
    """

    name = "qata_cov19"

    def list_cases(self) -> list[Case]:
        """The cases of all folders: first in the order of the captions, then images without a caption."""
        return [case for cases in self._folders.values() for case in cases]

    def split_cases(self, cases: list[Case]) -> Split:
        """`file_order`: val is the last fifth of the training images by name. `lvit`: the published splits."""
        case_ids = existing_ids(self._folders, cases)
        rows = case_ids["Train"] + case_ids["Val"]
        if self.protocol == "lvit":
            val = case_ids["Val"] or self._listed_for_val(case_ids["Train"])
        else:
            if case_ids["Val"]:  # two tables have no common order; the published order is by name
                rows.sort()
            subject_of = {case.case_id: case.subject for case in cases}
            first = int(0.8 * len(rows))
            trained = {
                subject_of[case_id] for case_id in rows[:first]
            }  # in the whole data set, no subject is on both sides
            val = [case_id for case_id in rows[first:] if subject_of[case_id] not in trained]
        held = set(val)
        train = [case_id for case_id in rows if case_id not in held]
        return make_split(self.protocol, {"train": train, "val": val, "test": case_ids["Test"]}, cases)

    @cached_property
    def _folders(self) -> dict[str, list[Case]]:
        """The cases of each folder."""
        root = next((one for one in self._roots if split_folders(one, "Train", _LAYOUTS)), self.folder)
        return {
            split: lvit_cases(
                root, split, _subject, optional=split == "Val", layouts=_LAYOUTS, mask="mask_{}", tables=self.folder
            )
            for split in ("Train", "Val", "Test")
        }

    @property
    def _roots(self) -> list[Path]:
        return [self.folder / inner for inner in _ARCHIVE]

    def _listed_for_val(self, train: list[str]) -> list[str]:
        """The training images that `Val_ID.xlsx` names, in the order of the training images; none without such a list.

        Raises:
            DataError: The list has no column `Image`.
        """
        found = [
            root / f"Val_ID{end}" for root in (*self._roots, self.folder / "Train Set") for end in (".xlsx", ".csv")
        ]
        path = next((path for path in found if path.is_file()), None)
        if path is None:
            return []
        header, rows = read_table(path, "Image")
        if "image" not in header:
            raise DataError(f"{path}: columns {header} lack Image.", "Get it again.")
        listed = {row[header.index("image")].removesuffix(".png").removeprefix("mask_") for row in rows}
        strange = sorted(listed - set(train))
        if strange:
            log.warning("%s: %d names belong to no existing training image, such as %s", path, len(strange), strange[0])
        return [case_id for case_id in train if case_id in listed]


def _subject(stem: str) -> str:
    found = _SUBJECT.search(stem)
    return found.group().lower() if found else stem
