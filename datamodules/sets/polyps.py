"""Polyps in colonoscopy with captions: Kvasir-SEG, CVC-ClinicDB, CVC-ColonDB, CVC-300, ETIS-Larib."""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import replace
from functools import cached_property
from pathlib import Path

from datamodules.bases.image_dataset import (
    SliceDataModule,
    existing_ids,
    lvit_cases,
    paired_cases,
    picture_folders,
    pictures_in,
    split_folders,
)
from datamodules.files.caption_tables import read_captions
from datamodules.index.splits import SPLITS, Split, cut_by_subject, hold_out_val, make_split
from zoo.errors import DataError
from zoo.types import Case

TABLES = {
    "kvasir": ("kvasir", "kvasirseg"),
    "clinicdb": ("clinicdb", "cvcclinicdb"),
    "colondb": ("colondb", "cvccolondb"),
    "cvc300": ("cvc300",),
    "etis": ("etis", "etislarib", "etislaribpolypdb"),
}
"""Names of a data set in caption tables and folders, with small letters and digits only ("Clinic_DB_train.csv")."""

TRAINED_ON = ("kvasir", "clinicdb")
"""The data sets in PraNet's `TrainDataset`; all others are only tested on."""

SEQUENCES = (
    *(1, 26, 51, 68, 79, 104, 127, 152, 178, 200, 206, 228, 253, 278, 298, 318, 343, 364, 384, 409, 429),
    *(448, 467, 479, 504, 529, 547, 572, 592),
)
"""First frames of the 29 video sequences of CVC-ClinicDB's 612 (its `metadata.csv`; the ranges
are in src/convert.py of github.com/dataset-ninja/cvc-612)."""


class Polyps(SliceDataModule):
    """Colour images of all sizes, resized to `patch`; captions of up to 45 words.

    There are three layouts:

    - LViT, as MedCLIPSeg publishes the data sets: `{Train,Val,Test}_Folder/{img,label}`, `Prompts_Folder/*.xlsx`,
      in the root or in a folder with the name of the data set;
    - PraNet: `TrainDataset/{image,mask}` (Kvasir and ClinicDB together) and `TestDataset/<data set>/{images,masks}`;
    - the authors of the data set: `Kvasir-SEG/{images,masks}` or `CVC-ClinicDB/{Original,Ground Truth}`;

    the last two with MAdapter's caption tables (`Kvasir_train.csv`, `Clinic_DB_test.csv`, `Colon_DB.csv`)
    in the root or a folder of it, which define the splits. ClinicDB is also read one folder down, in the `PNG`
    or `TIF` of the copy on Kaggle, and ETIS's as `ETIS-LaribPolypDB/1.tif` with `Ground Truth/p1.tif`.

    Kvasir-SEG's masks are JPEGs with values of 0 to 7 and 248 to 255, and PraNet, which passes on all five
    sets, says to binarise them (github.com/DengPingFan/PraNet/issues/54): a pixel above half of white is polyp.
    """

    black_white = True

    def list_cases(self) -> list[Case]:
        """The cases of all splits, each in the order of its captions."""
        return [case for split in SPLITS for case in self._splits[split]]

    def split_cases(self, cases: list[Case]) -> Split:
        """`by_sequence`: whole sequences, shuffled once. Else the published splits; without val, val from train."""
        if self.protocol == "by_sequence":
            return cut_by_subject(self.protocol, cases)
        case_ids = existing_ids(self._splits, cases)
        if case_ids["val"]:
            return make_split(self.protocol, case_ids, cases)
        return hold_out_val(self.protocol, cases, frozenset(case_ids["test"]))

    @cached_property
    def _splits(self) -> dict[str, list[Case]]:
        """The cases of each split; val is empty where the layout has none."""
        if self.name in TRAINED_ON:
            return {split: self._cases_of(self.name, split) for split in SPLITS}
        shared = {
            split: [case for name in TRAINED_ON for case in self._cases_of(name, split, f"{name}-")]
            for split in ("train", "val")
        }
        return {**shared, "test": self._cases_of(self.name, "test", f"{self.name}-")}

    def _cases_of(self, name: str, split: str, prefix: str = "") -> list[Case]:
        """The cases of one split of one data set."""
        inside = [self.folder, *sorted(path for path in self.folder.iterdir() if path.is_dir())]
        own = [one for one in inside if _letters(one.name) in TABLES[name] or (one, name) == (inside[0], self.name)]
        lvit = next((one for one in own if split_folders(one, "Test")), None)
        if lvit:
            cases = lvit_cases(lvit, split.capitalize(), _SUBJECTS.get(name, str), optional=split == "val")
            return [replace(case, case_id=prefix + case.case_id) for case in cases]
        if split == "val":
            return []
        tests = [path for one in inside for path in sorted((one / "TestDataset").glob("*"))]
        shared = [one / "TrainDataset" for one in inside] if split == "train" else []
        shared += [path for path in tests if _letters(path.name) in TABLES[name] and split == "test"]
        folders = [found for one in shared if (found := picture_folders(one))]
        official = [found for one in own if (found := _own_folders(one))]
        if not folders and not official:
            raise DataError(f"{self.folder}: no images and masks of {name} in it.", f"See `zoo show {self.name}`.")
        rows = read_captions(self._table(name, split))
        extra = {stem for images, _ in folders for stem in pictures_in(images) if _belongs(stem, name, split)}
        if official and split == "train":  # one folder for both splits: images that no table names count here
            named = {Path(row[0]).stem for row in (*rows, *read_captions(self._table(name, "test")))}
            extra |= {stem for images, _ in official for stem in pictures_in(images)} - named
        return paired_cases([*folders, *official], rows, _SUBJECTS.get(name, str), extra, prefix)

    def _table(self, name: str, split: str) -> Path:
        found = [
            path
            for pattern in ("*", "*/*", "*/*/*")
            for path in sorted(self.folder.glob(pattern))
            if path.suffix.lower() in (".csv", ".xlsx") and not path.name.startswith(".")
        ]
        plain = [split] if name in TRAINED_ON else [split, ""]
        names = {f"{alias}{end}" for alias in TABLES[name] for end in plain}
        table = next((path for path in found if _letters(path.stem) in names), None)
        if table is None:
            shown = name if name not in TRAINED_ON else f"{name}_{split}"
            raise DataError(f"{self.folder}: no caption table {shown}.csv in it.", "Get it where the card says.")
        return table


class Kvasir(Polyps):
    """Kvasir-SEG: 1000 images, no two of which are known to be of one patient."""

    name = "kvasir"


class ClinicDB(Polyps):
    """CVC-ClinicDB: 612 frames of 29 sequences, which the published split divides."""

    name = "clinicdb"


class ColonDB(Polyps):
    """CVC-ColonDB, tested on after training on Kvasir-SEG and CVC-ClinicDB."""

    name = "colondb"


class CVC300(Polyps):
    """CVC-300, tested on after training on Kvasir-SEG and CVC-ClinicDB."""

    name = "cvc300"


class Etis(Polyps):
    """ETIS-Larib, tested on after training on Kvasir-SEG and CVC-ClinicDB."""

    name = "etis"


def sequence(stem: str) -> str:
    """The sequence of a CVC-ClinicDB frame by its number ("26": sequence 2); another name is a sequence of its own."""
    number = int(stem) if re.fullmatch(r"\d{1,4}", stem) else 0
    return f"sequence-{bisect_right(SEQUENCES, number):02d}" if 1 <= number <= 612 else stem


_SUBJECTS = {"clinicdb": sequence}


def _own_folders(folder: Path) -> tuple[Path, Path] | None:
    """The folders of images and masks in the layout of the authors or of its copies."""
    for inner in (folder, folder / "PNG", folder / "TIF"):
        found = picture_folders(inner)
        if found:
            return found
    truth = next((path for path in (folder / "Ground Truth", folder / "GroundTruth") if path.is_dir()), None)
    images = folder / folder.name  # ETIS-LaribPolypDB/ETIS-LaribPolypDB
    return (images, truth) if truth and images.is_dir() else None


def _belongs(stem: str, name: str, split: str) -> bool:
    """Whether an image belongs to a data set: in the shared `TrainDataset`, images of CVC-ClinicDB are numbers."""
    return split == "test" or stem.isdigit() == (name == "clinicdb")


def _letters(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())
