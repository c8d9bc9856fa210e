"""2-D data sets with captions in the layout of LViT: one folder per split with images, masks and a caption table."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from datamodules.bases.base import SegDataModule
from datamodules.files.caption_tables import read_captions
from datamodules.files.nifti_layout import find_subfolder
from datamodules.index.case_names import normalise_name
from zoo.errors import DataError
from zoo.io.pictures import SUFFIXES, PictureReader
from zoo.preprocessing.spec import PreprocessingSpec
from zoo.types import Case

IMAGE_FOLDERS = ("img", "images", "image", "frames", "original")
MASK_FOLDERS = (
    *("labelcol", "label", "labels", "masks", "mask"),
    *("gts", "gt", "ground truth", "ground-truths", "groundtruth", "ground_truth"),
)
"""Names that releases use for the folders of images and of masks, in lower case."""

SPLIT_FOLDERS = ("{part}_Folder", "{part} Folder", "{part} Set", "{part}")
"""Names of the folder of a split: those of LViT, and "Train Set" in the official download of QaTa-COV19."""

_TABLES = (".xlsx", ".csv")


class Layout(NamedTuple):
    """Paths of a split in one release, relative to the root; `{part}` is "Train", `{small}` is "train".

    Attributes:
        images: Folder of the images.
        masks: Folder of the masks.
        captions: The caption table.
    """

    images: str
    masks: str
    captions: str


LVIT = Layout("{part}_Folder/img", "{part}_Folder/labelcol", "{part}_text.xlsx")


class SliceDataModule(SegDataModule):
    """Single images with one class, resized to `patch`; in colour where the card has three channels.

    Attributes:
        black_white: Whether masks are read by `to_black_white`. If not, the values of a mask are the labels, and a
            value that is not on the card is a finding.
    """

    black_white = False
    listed = True

    def preprocessing(self) -> PreprocessingSpec:
        """Resized to the patch."""
        return PreprocessingSpec(size=self.patch)

    @cached_property
    def reader(self) -> PictureReader:
        """Reads colour as the card says, and masks as `black_white` says."""
        channels = self.card.in_channels
        return PictureReader(drop=self.dropped_values, channels=channels, black_white=self.black_white)


def split_folders(root: Path, split: str, layouts: Sequence[Layout] = (LVIT,)) -> tuple[Path, Path] | None:
    """The folders of images and masks of a split, by one of `SPLIT_FOLDERS`; None where they do not exist.

    A folder of images without masks counts as well where one of `layouts` names it. The checks then report each mask.
    """
    for name in SPLIT_FOLDERS:
        found = picture_folders(root / name.format(part=split))
        if found:
            return found
    named = [(root / layout.images.format(part=split), root / layout.masks.format(part=split)) for layout in layouts]
    return next((folders for folders in named if folders[0].is_dir()), None)


def existing_ids(splits: Mapping[str, Iterable[Case]], cases: Iterable[Case]) -> dict[str, list[str]]:
    """The case ids of each split that are among the cases, because tables may name images that do not exist."""
    known = {case.case_id for case in cases}
    return {split: [case.case_id for case in found if case.case_id in known] for split, found in splits.items()}


def folder_of_splits(folder: Path, names: Iterable[str]) -> Path:
    """The folder that contains those of the splits: the root, or one inside by a name of the data set."""
    candidates = [folder, *(inner for name in names if (inner := find_subfolder(folder, name)))]
    return next((one for one in candidates if split_folders(one, "Train")), folder)


def picture_folders(folder: Path) -> tuple[Path, Path] | None:
    """The folders of images and of masks inside a folder, by any of their usual names; None if one is missing."""
    inside = {path.name.lower(): path for path in _visible(folder) if path.is_dir()}
    images = next((inside[name] for name in IMAGE_FOLDERS if name in inside), None)
    masks = next((inside[name] for name in MASK_FOLDERS if name in inside), None)
    return (images, masks) if images and masks else None


def caption_table(root: Path, split: str) -> Path | None:
    """Find the caption table of a split.

    The order is: `prompt/train.csv`, `Train_text`, `Train_text_original` (MedCLIPSeg has variants beside it), the
    only `Train_text*` (LViT's downloads contain the name of the data set), `Train_Val_text` for both splits. Each may
    be xlsx or CSV, in the folder of the split, in the root or in any folder of the root.

    Raises:
        DataError: There are several tables, and none has one of the first names.
    """
    name = split.lower()
    folders = [root / pattern.format(part=split) for pattern in SPLIT_FOLDERS]
    folders += [root, root / "Prompts_Folder", root / "prompt", *(path for path in _visible(root) if path.is_dir())]
    tables = [path for folder in dict.fromkeys(folders) for path in _visible(folder) if path.suffix.lower() in _TABLES]
    ranked: list[Callable[[Path], bool]] = [
        lambda path: path.parent.name == "prompt" and path.stem.lower() == name,
        lambda path: path.stem.lower() == f"{name}_text",
        lambda path: path.stem.lower() == f"{name}_text_original",
    ]
    for fits in ranked:
        found = next((path for path in tables if fits(path)), None)
        if found:
            return found
    named = [path for path in tables if path.stem.lower().startswith(f"{name}_text")]
    if len(named) > 1:
        raise DataError(
            f"{named[0]}: one of {len(named)} caption tables of {split} ({', '.join(path.name for path in named)}).",
            f"Keep one, or name it {split}_text{named[0].suffix}.",
        )
    shared = [path for path in tables if split != "Test" and path.stem.lower() == "train_val_text"]
    return next(iter([*named, *shared]), None)


def pictures_in(folder: Path) -> dict[str, Path]:
    """The pictures of a folder by stem, sorted by name, without the hidden files of macOS."""
    ranks = {suffix: rank for rank, suffix in enumerate(SUFFIXES)}
    pictures = [path for path in _visible(folder) if path.suffix.lower() in ranks]
    found: dict[str, Path] = {}
    for path in sorted(pictures, key=lambda path: ranks[path.suffix.lower()]):
        found.setdefault(normalise_name(path.stem), path)
    return dict(sorted(found.items()))


def paired_cases(
    folders: Sequence[tuple[Path, Path]],
    captions: Iterable[tuple[str, str]],
    subject: Callable[[str], str],
    extra: Collection[str] | None = None,
    prefix: str = "",
    mask: str = "{}",
) -> list[Case]:
    """One case per row of a caption table, then one case per image without a row.

    A row names the image or its mask, with or without suffix and `mask_`. A missing file gets the name that it should
    have, so that the checks report it.

    Args:
        folders: Pairs of image and mask folders, searched in order.
        captions: File name and caption, from `read_captions`.
        subject: Gives the subject of an image from its stem.
        extra: Stems of the images that count although no row names them; None for all images. A folder may have
            several tables.
        prefix: The prefix of the case ids.
        mask: Name of the mask of an image in the release, without suffix: "mask_{}". Messages name a missing mask so.
    """
    images = [pictures_in(folder) for folder, _ in folders]
    masks = [pictures_in(folder) for _, folder in folders]
    known = {stem for pictures in images for stem in pictures}
    rows: list[tuple[str, str | None]] = [(stem_of(name, known), text) for name, text in captions]
    with_row = {stem for stem, _ in rows}
    others = [stem for pictures in images for stem in pictures if extra is None or stem in extra]
    without_row = [(stem, None) for stem in dict.fromkeys(others) if stem not in with_row]
    cases = []
    for stem, report in [*rows, *without_row]:  # rows for both the image and its mask make two cases: checks find them
        number = next((index for index, pictures in enumerate(images) if stem in pictures), 0)
        ends = ("mask", "segmentation", "Segmentation")
        names = (stem, f"mask_{stem}", *(f"{stem}_{end}" for end in ends), f"p{stem}")
        expected = folders[number][1] / f"{mask.format(stem)}{_suffix(masks[number])}"
        label = next((masks[number][name] for name in names if name in masks[number]), expected)
        image = images[number].get(stem, folders[number][0] / f"{stem}{_suffix(images[number])}")
        cases.append(Case(prefix + stem, (image,), label, subject=subject(stem), report=report))
    return cases


def lvit_cases(
    root: Path,
    split: str,
    subject: Callable[[str], str],
    *,
    optional: bool = False,
    layouts: Sequence[Layout] = (LVIT,),
    mask: str = "{}",
    tables: Path | None = None,
    keep_first: bool = False,
) -> list[Case]:
    """The cases of one split in the layout of LViT.

    Args:
        root: The folder that contains the folders of the splits.
        split: "Train", "Val" or "Test".
        subject: Gives the subject of an image from its stem.
        optional: Whether the split may be missing.
        layouts: The layouts of the data set, for the messages about a folder that has none of them.
        mask: See `paired_cases`.
        tables: A further folder that is searched for a caption table.
        keep_first: See `read_captions`.

    Raises:
        DataError: The folders or the caption table are missing.
    """
    folders = split_folders(root, split, layouts)
    if optional and (folders is None or not pictures_in(folders[0])):
        return []
    if folders is None:
        names = [layout.images.format(part=split) for layout in layouts]
        lacks = f"neither {' nor '.join(names)}" if len(names) > 1 else f"no {names[0]}"
        raise DataError(f"{root}: {lacks} in it.", "Give the folder that contains the folders of the splits.")
    table = caption_table(root, split) or (caption_table(tables, split) if tables else None)
    if table is None:
        due = " or ".join(layout.captions.format(part=split, small=split.lower()) for layout in layouts)
        raise DataError(f"{root}: no captions for {split} ({due}).", "Get them where the card says.")
    captions = read_captions(table, keep_first)
    other = {"Train": "Val", "Val": "Train"}.get(split)
    beside = split_folders(root, other, layouts) if other else None
    if beside:  # both splits may have one table
        here, there = set(pictures_in(folders[0])), set(pictures_in(beside[0]))
        captions = [row for row in captions if stem_of(row[0], here | there) not in there - here]
    return paired_cases([folders], captions, subject, mask=mask)


def _suffix(pictures: Mapping[str, Path]) -> str:
    """The suffix that a missing file of a folder would have: that of the other files."""
    return next((path.suffix for path in pictures.values()), ".png")


def stem_of(name: str, known: set[str]) -> str:
    """The stem of the image that a row of a table names."""
    stem = Path(name).stem if Path(name).suffix.lower() in SUFFIXES else name
    bare = re.sub(r"^mask_|_mask$", "", stem)
    return stem if stem in known else bare


def _visible(folder: Path) -> list[Path]:
    """The visible entries of a folder, sorted; none where there is no folder."""
    if not folder.is_dir():
        return []
    paths = sorted(folder.iterdir(), key=lambda path: path.name)  # paths compare slower than names
    return [path for path in paths if not path.name.startswith(".")]
