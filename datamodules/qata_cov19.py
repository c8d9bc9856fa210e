"""QaTa-COV19 v2 with captions: infection in chest X-rays, in the layouts of LanGuideMedSeg and of LViT."""

from __future__ import annotations

import re
from pathlib import Path

from datamodules.base import SegDataModule
from datamodules.captions import read_captions
from datamodules.prepare import Recipe
from datamodules.splits import Split, make_split
from zoo.errors import DataError
from zoo.types import Case

_SUBJECT = re.compile(r"sub-s\d+", re.IGNORECASE)


class QataCov19(SegDataModule):
    """Images of 224x224, resized to `patch`; one sentence each that was written from the mask.

    Two layouts are known: `{Train,Test}/{Images,GTs}` with `prompt/{train,test}.csv`, and
    `{Train,Val,Test}_Folder/{img,labelcol}` with an xlsx (or CSV) of captions for each folder, or one
    `Train_Val_text.xlsx`. Files named `covid_N` bear no subject; each is taken for its own.
    """

    name = "qata_cov19"

    def recipe(self) -> Recipe:
        """Resized to the patch."""
        return Recipe(size=self.patch)

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
        for images, masks in ((f"{part}/Images", f"{part}/GTs"), (f"{part}_Folder/img", f"{part}_Folder/labelcol")):
            if (self.folder / images).is_dir():
                return self._paired(part, self.folder / images, self.folder / masks)
        if part == "Val":
            return []
        raise DataError(
            f"{self.folder}: neither {part}/Images nor {part}_Folder/img in it.",
            "Give the folder that holds them; the layouts stand in `zoo show qata_cov19`.",
        )

    def _paired(self, part: str, images: Path, masks: Path) -> list[Case]:
        captions = {Path(name).stem.removeprefix("mask_"): text for name, text in self._captions(part)}
        files = {path.stem: path for path in sorted(images.glob("*.png")) if not path.name.startswith("._")}
        other = self.folder / {"Train": "Val_Folder", "Val": "Train_Folder"}.get(part, "-") / "img"
        elsewhere = {path.stem for path in other.glob("*.png")}  # one table may serve both folders
        names = [name for name in captions if name in files or name not in elsewhere]
        names += [name for name in files if name not in captions]
        cases = []
        for name in names:
            label = next((path for path in (masks / f"mask_{name}.png", masks / f"{name}.png") if path.is_file()), None)
            subject = _SUBJECT.search(name)
            cases.append(
                Case(
                    case_id=name,
                    images=(files.get(name, images / f"{name}.png"),),
                    label=label or masks / f"mask_{name}.png",
                    subject=subject.group().lower() if subject else name,
                    report=captions.get(name),
                )
            )
        return cases

    def _captions(self, part: str) -> list[tuple[str, str]]:
        folder = self.folder / f"{part}_Folder"
        tables = [self.folder / "prompt" / f"{part.lower()}.csv"]
        for stem in (f"{part}_text", *(("Train_Val_text",) if part != "Test" else ())):
            homes = (folder, self.folder, self.folder / "Train_Folder")
            tables += [home / f"{stem}{end}" for home in homes for end in (".xlsx", ".csv")]
        table = next((path for path in tables if path.is_file()), None)
        if table is None:
            raise DataError(
                f"{self.folder}: no captions for {part} (prompt/{part.lower()}.csv or {part}_text.xlsx).",
                "Get them where the card says.",
            )
        return read_captions(table)
