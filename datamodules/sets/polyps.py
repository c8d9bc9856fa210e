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
"""How caption tables and folders name a set, in small letters and figures alone ("Clinic_DB_train.csv")."""

TRAINED_ON = ("kvasir", "clinicdb")
"""The sets that PraNet's `TrainDataset` is made of; all others are only tested on."""

SEQUENCES = (
    *(1, 26, 51, 68, 79, 104, 127, 152, 178, 200, 206, 228, 253, 278, 298, 318, 343, 364, 384, 409, 429),
    *(448, 467, 479, 504, 529, 547, 572, 592),
)
"""First frames of the 29 video sequences of CVC-ClinicDB's 612 (its `metadata.csv`; the ranges
stand in src/convert.py of github.com/dataset-ninja/cvc-612)."""


class Polyps(SliceDataModule):
    """Colour images of all sizes, resized to `patch`; captions of up to 45 words.

    The layouts that are known:

    - LViT's, as MedCLIPSeg passes the sets on: `{Train,Val,Test}_Folder/{img,label}`, `Prompts_Folder/*.xlsx`,
      in the root or in a folder of the set's name;
    - PraNet's, `TrainDataset/{image,mask}` (Kvasir and ClinicDB in one) and `TestDataset/<set>/{images,masks}`;
    - the authors' own, `Kvasir-SEG/{images,masks}` or `CVC-ClinicDB/{Original,Ground Truth}`;

    the last two with MAdapter's caption tables (`Kvasir_train.csv`, `Clinic_DB_test.csv`, `Colon_DB.csv`)
    in the root or a folder of it: they make the parts. ClinicDB's are also read one folder down, in the `PNG`
    or `TIF` of the copy on Kaggle, and ETIS's as `ETIS-LaribPolypDB/1.tif` with `Ground Truth/p1.tif`.

    Kvasir-SEG's masks are JPEGs with values of 0 to 7 and 248 to 255, and PraNet, which passes on all five
    sets, says to binarise them (github.com/DengPingFan/PraNet/issues/54): a pixel above half of white is polyp.
    """

    black_white = True

    def list_cases(self) -> list[Case]:
        """The cases of all parts, each in the order of its captions."""
        return [case for part in SPLITS for case in self._parts[part]]

    def split_cases(self, cases: list[Case]) -> Split:
        """`by_sequence`: whole sequences, shuffled once. Else the parts as they come; val, if none, from train."""
        if self.protocol == "by_sequence":
            return cut_by_subject(self.protocol, cases)
        homes = existing_ids(self._parts, cases)
        if homes["val"]:
            return make_split(self.protocol, homes, cases)
        return hold_out_val(self.protocol, cases, frozenset(homes["test"]))

    @cached_property
    def _parts(self) -> dict[str, list[Case]]:
        """The cases of each part; val is empty where the layout has none."""
        if self.name in TRAINED_ON:
            return {part: self._of(self.name, part) for part in SPLITS}
        parts = {
            part: [case for name in TRAINED_ON for case in self._of(name, part, f"{name}-")]
            for part in ("train", "val")
        }
        return {**parts, "test": self._of(self.name, "test", f"{self.name}-")}

    def _of(self, name: str, part: str, prefix: str = "") -> list[Case]:
        """The cases of one set's part."""
        inside = [self.folder, *sorted(path for path in self.folder.iterdir() if path.is_dir())]
        homes = [
            home for home in inside if _letters(home.name) in TABLES[name] or (home, name) == (inside[0], self.name)
        ]
        lvit = next((home for home in homes if split_folders(home, "Test")), None)
        if lvit:
            cases = lvit_cases(lvit, part.capitalize(), _SUBJECTS.get(name, str), optional=part == "val")
            return [replace(case, case_id=prefix + case.case_id) for case in cases]
        if part == "val":
            return []
        tests = [path for home in inside for path in sorted((home / "TestDataset").glob("*"))]
        shared = [home / "TrainDataset" for home in inside] if part == "train" else []
        shared += [path for path in tests if _letters(path.name) in TABLES[name] and part == "test"]
        folders = [found for home in shared if (found := picture_folders(home))]
        official = [found for home in homes if (found := _own_folders(home))]
        if not folders and not official:
            raise DataError(f"{self.folder}: no images and masks of {name} in it.", f"See `zoo show {self.name}`.")
        rows = read_captions(self._table(name, part))
        extra = {stem for images, _ in folders for stem in pictures_in(images) if _belongs(stem, name, part)}
        if official and part == "train":  # one folder for both parts: what no table names is shown as untold here
            named = {Path(row[0]).stem for row in (*rows, *read_captions(self._table(name, "test")))}
            extra |= {stem for images, _ in official for stem in pictures_in(images)} - named
        return paired_cases([*folders, *official], rows, _SUBJECTS.get(name, str), extra, prefix)

    def _table(self, name: str, part: str) -> Path:
        found = [
            path
            for pattern in ("*", "*/*", "*/*/*")
            for path in sorted(self.folder.glob(pattern))
            if path.suffix.lower() in (".csv", ".xlsx") and not path.name.startswith(".")
        ]
        plain = [part] if name in TRAINED_ON else [part, ""]
        due = {f"{alias}{end}" for alias in TABLES[name] for end in plain}
        table = next((path for path in found if _letters(path.stem) in due), None)
        if table is None:
            shown = name if name not in TRAINED_ON else f"{name}_{part}"
            raise DataError(f"{self.folder}: no caption table {shown}.csv in it.", "Get it where the card says.")
        return table


class Kvasir(Polyps):
    """Kvasir-SEG: 1000 images, no two of which are known to be of one patient."""

    name = "kvasir"


class ClinicDB(Polyps):
    """CVC-ClinicDB: 612 frames of 29 sequences, which the published split parts."""

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
    """The sequence of a CVC-ClinicDB frame by its number ("26" is of sequence 2); another name is its own."""
    number = int(stem) if re.fullmatch(r"\d{1,4}", stem) else 0
    return f"sequence-{bisect_right(SEQUENCES, number):02d}" if 1 <= number <= 612 else stem


_SUBJECTS = {"clinicdb": sequence}


def _own_folders(home: Path) -> tuple[Path, Path] | None:
    """The images and masks of a set as its authors, or copies of theirs, lay them out."""
    for inner in (home, home / "PNG", home / "TIF"):
        found = picture_folders(inner)
        if found:
            return found
    truth = next((path for path in (home / "Ground Truth", home / "GroundTruth") if path.is_dir()), None)
    images = home / home.name  # ETIS-LaribPolypDB/ETIS-LaribPolypDB
    return (images, truth) if truth and images.is_dir() else None


def _belongs(stem: str, name: str, part: str) -> bool:
    """Whether an image is of a set: in the shared `TrainDataset` those of CVC-ClinicDB are numbers."""
    return part == "test" or stem.isdigit() == (name == "clinicdb")


def _letters(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())
