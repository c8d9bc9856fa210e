"""MedVLSM's prompt lists: eleven 2D data sets, each image with texts in levels from empty to a full description."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datamodules.bases.image_dataset import SliceDataModule, existing_ids
from datamodules.files.caption_tables import collect_or_raise, collect_or_warn
from datamodules.files.find_files import FileFinder, path_exists
from datamodules.files.listed_twice import keep_reported
from datamodules.files.nifti_layout import find_subfolder
from datamodules.files.prompt_lists import PromptItem, image_stem, query_of, read_prompt_list
from datamodules.index.splits import SPLITS, Split, cut_by_subject, hold_out_val, make_split
from datamodules.sets.polyps import sequence
from zoo.errors import ConfigError, DataError
from zoo.io.pictures import PictureReader
from zoo.text.controls import replace_prompt
from zoo.types import Case, ClassPrompt, Geometry
from zoo.utils.hashing import hash_json

FOLDERS = {name: f"{name}_polyp" for name in ("kvasir", "clinicdb", "colondb", "etis", "cvc300", "bkai")}
"""Folders of the release, where they differ from the name of the set."""

LISTS_OF_COLONDB = (
    "340c882281a6b050ba26f4d96be95932b8b8498b772468ba3638f5b250d99663",
    "6a7c1a6137d5abeec2047d806de9f24ead92ceb452f6b718c152f3bde007918c",
)
"""Hashes of the names and texts in the test and train list of CVC-ColonDB. The lists of CVC-300 are copies of them."""

_PATIENT = re.compile(r"patient\d+")


def _patient(stem: str) -> str:
    """The patient in the name of an image of CAMUS or CheXlocalize.

    Raises:
        DataError: The name has none.
    """
    found = _PATIENT.search(stem)
    if found is None:
        raise DataError(f"{stem}: the name says no patient ('patient0001').", "Get the list again.", "caption_table")
    return found.group()


_SUBJECTS: dict[str, Callable[[str], str]] = {"clinicdb": sequence, "camus": _patient, "chexlocalize": _patient}


class MedVLSM(SliceDataModule):
    """One set: `anns/{train,val,test}.json`, `images` and `masks`, with the file names of the lists.

    `root` is the folder of the set or the folder that contains it ("kvasir_polyp", "busi"). Images and masks may lie in
    folders of the splits (`images/test`); val then has those of train, as in the release. So CAMUS, which has two
    patients under one name in val and test, needs `images/train` and `images/test`.

    An image that several lists name counts for test before val before train; where the val list is empty, a tenth of
    train is val. Masks are black and white. Further masks of an image (`100_benign_mask_1.png`) are joined with the
    first.

    Texts come in levels. The text track is that of the level: p0 is empty, p1 names the class, and every level with
    shape, size, number or place was written from the mask. The card lists the levels.

    Args:
        subset: Name of the set on its card.
        prompt: Level of the texts, "p0" to "p9"; the card has the levels of the set.
        wording: Number of the wording that is tested, for a level with several wordings. Training draws among all.
        **kwargs: See `SegDataModule`.
    """

    black_white = True

    def __init__(self, subset: str, prompt: str, wording: int = 0, **kwargs: Any) -> None:
        self.name = f"medvlsm_{subset}"
        super().__init__(**kwargs)
        if wording < 0:
            raise ConfigError(f"--data.wording {wording} is negative.", "Count the wordings from 0.")
        self.card = self.card.at_level(prompt)
        self.subset, self.prompt, self.wording = subset, prompt, wording

    @cached_property
    def reader(self) -> PictureReader:
        """Reads colour as the card says, and joins the masks of an image."""
        return JoinedMaskReader(drop=self.dropped_values, channels=self.card.in_channels, black_white=True)

    def list_cases(self) -> list[Case]:
        """The cases of all lists, each image in one split."""
        return [case for split in SPLITS for case in self._splits[split]]

    def split_cases(self, cases: list[Case]) -> Split:
        """`published`: the lists. `by_sequence`: whole sequences, shuffled once."""
        if self.protocol == "by_sequence":
            return cut_by_subject(self.protocol, cases)
        case_ids = {split: list(dict.fromkeys(ids)) for split, ids in existing_ids(self._splits, cases).items()}
        if case_ids["val"]:
            return make_split(self.protocol, case_ids, cases)
        return hold_out_val(self.protocol, cases, frozenset(case_ids["test"]))

    @cached_property
    def prompts(self) -> tuple[ClassPrompt, ...]:
        """The class prompts: those of the card, or the text of a level that is the same for all images."""
        true = super().prompts
        if self.card.has_reports:
            return true
        texts = Counter(item.text(self.prompt, self.wording) for items in self._lists.values() for item in items)
        text = "" if self.card.track == "none" or not texts else texts.most_common(1)[0][0]
        return tuple(replace_prompt(prompt, text) for prompt in true)

    @cached_property
    def home(self) -> Path:
        """The folder with the lists: the root, or one inside by the name of the set."""
        names = (FOLDERS.get(self.subset, self.subset), self.subset)
        inside = [found for name in names if (found := find_subfolder(self.folder, name))]
        return next((one for one in (self.folder, *inside) if (one / "anns").is_dir()), self.folder)

    @cached_property
    def _lists(self) -> dict[str, list[PromptItem]]:
        """The items of each list."""
        found = {split: read_prompt_list(self._list(split), tuple(self.card.prompt_tracks)) for split in SPLITS}
        if self.subset == "cvc300":
            for split, items in found.items():
                check_copied(self._list(split), items)
        return found

    @cached_property
    def _splits(self) -> dict[str, list[Case]]:
        """The cases of each split; an image is in one of them."""
        splits = {split: self._cases_of(split) for split in SPLITS}
        lists = {split: self._list(split) for split in SPLITS}
        texts = {split: {case.key: case.report for case in cases} for split, cases in splits.items()}
        val, test = texts["val"], texts["test"]
        if self.card.queries and val.keys() <= test.keys() and any(test[key] != text for key, text in val.items()):
            problem = f"{lists['val']}: it names the images of test.json, with other texts: two patients per name."
            fix = "Put the images of each part into images/train and images/test, and the masks likewise."
            collect_or_raise(DataError(problem, fix, "case_twice"))
            splits["val"] = []
        return keep_reported(splits, lists)

    def _cases_of(self, split: str) -> list[Case]:
        part, finders = self._part(split), {}
        for kind in ("images", "masks"):
            folder = self.home / kind / part if part and (self.home / kind / part).is_dir() else self.home / kind
            finders[kind] = FileFinder(folder)
        prefix = f"{part}-" if part else ""
        subject = _SUBJECTS.get(self.subset, str)
        cases = []
        for item in self._lists[split]:
            stem = image_stem(item.image)
            report = item.text(self.prompt, self.wording) if self.card.has_reports else None
            texts = item.all_texts(self.prompt) if self.card.has_reports else ()
            files = ((finders["images"].find(item.image),), finders["masks"].find(item.mask))
            query = query_of(item) if self.card.queries else ""
            others = tuple(text for text in texts if text != report)
            cases.append(Case(prefix + stem, *files, prefix + subject(stem), report, query, others))
        return cases

    def _part(self, split: str) -> str:
        """The folder of a split inside of `images`; empty where all images lie in one folder."""
        names = (split, "train") if split == "val" else (split,)
        return next((name for name in names if (self.home / "images" / name).is_dir()), "")

    def _list(self, split: str) -> Path:
        return self.home / "anns" / f"{split}.json"


@dataclass(frozen=True)
class JoinedMaskReader(PictureReader):
    """Reader of pictures whose mask may consist of several files: `a.png`, `a_mask_1.png`, `a_mask_2.png`."""

    def files(self, path: Path) -> list[Path]:
        """The file, and the further masks beside it."""
        found = [path]
        while path_exists(further := path.with_name(f"{path.stem}_mask_{len(found)}{path.suffix}")):
            found.append(further)
        return found

    def label(self, path: Path) -> tuple[NDArray[np.int32], Geometry]:
        """Read the union of the masks.

        Raises:
            DataError: A mask cannot be read, or two of them differ in shape.
        """
        first, geometry = super().label(path)
        for further in self.files(path)[1:]:
            mask, _ = super().label(further)
            if mask.shape != first.shape:
                problem = f"{further}: shape {mask.shape}, but {path.name} has {first.shape}."
                raise DataError(problem, "Get both masks again.", "shape_mismatch")
            first = np.maximum(first, mask)
        return first, geometry


def check_copied(path: Path, items: list[PromptItem]) -> None:
    """Note that a list is one of CVC-ColonDB, by its hash or by the list beside it."""
    beside = path.parents[2] / FOLDERS["colondb"] / "anns" / path.name
    same = beside.is_file() and beside.read_bytes() == path.read_bytes()
    if items and (same or hash_of_items(items) in LISTS_OF_COLONDB):
        problem = (
            f"{path}: these are the {len(items)} texts of CVC-ColonDB, not of CVC-300; they describe other images."
        )
        fix = "Use --data medvlsm_colondb, or a level without details of the image (--data.prompt p1)."
        collect_or_warn(DataError(problem, fix, "captions_of_others"))


def hash_of_items(items: list[PromptItem]) -> str:
    """The hash of the names and texts of a list."""
    return hash_json([[item.image, {level: list(texts) for level, texts in item.wordings.items()}] for item in items])
