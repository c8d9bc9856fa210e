"""2-D sets with captions in the layout of LViT: a folder a part, images, masks and a caption table in each."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from datamodules.bases.base import SegDataModule
from datamodules.files.caption_tables import read_captions
from datamodules.files.nifti_layout import below
from zoo.errors import DataError
from zoo.io.pictures import SUFFIXES, PictureReader
from zoo.preprocessing.spec import PreprocessingSpec
from zoo.types import Case

IMAGE_FOLDERS = ("img", "images", "image", "frames", "original")
MASK_FOLDERS = (
    *("labelcol", "label", "labels", "masks", "mask"),
    *("gts", "gt", "ground truth", "ground-truths", "groundtruth", "ground_truth"),
)
"""Names in use for the same two folders, in lower case."""

PART_FOLDERS = ("{part}_Folder", "{part} Folder", "{part} Set", "{part}")
"""Names in use for a part's folder: LViT's, and "Train Set" in the official download of QaTa-COV19."""

_TABLES = (".xlsx", ".csv")


class Layout(NamedTuple):
    """How a release names what a part has, relative to the root; `{part}` is "Train", `{small}` is "train".

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
    """Single images with one class, resized to `patch`; colour where the card counts three channels.

    Attributes:
        black_white: Masks are read by `to_black_white`; else a mask's values are the labels, and any that the
            card lacks is a finding.
    """

    black_white = False
    listed = True

    def preprocessing(self) -> PreprocessingSpec:
        """Resized to the patch."""
        return PreprocessingSpec(size=self.patch)

    @cached_property
    def reader(self) -> PictureReader:
        """Colour as the card says, masks as the set's are."""
        channels = self.card.in_channels
        return PictureReader(drop=self.dropped_values, channels=channels, black_white=self.black_white)


def part_folders(root: Path, part: str, layouts: Sequence[Layout] = (LVIT,)) -> tuple[Path, Path] | None:
    """The images and masks of a part, in a folder of one of `PART_FOLDERS`; None where it is not there.

    Images without masks are the part too, as one of `layouts` names them: each mask is then found missing.
    """
    for name in PART_FOLDERS:
        found = picture_folders(root / name.format(part=part))
        if found:
            return found
    named = [(root / layout.images.format(part=part), root / layout.masks.format(part=part)) for layout in layouts]
    return next((folders for folders in named if folders[0].is_dir()), None)


def existing_ids(parts: Mapping[str, Iterable[Case]], cases: Iterable[Case]) -> dict[str, list[str]]:
    """The ids of each part that are among the cases: tables may name images that are not there."""
    known = {case.case_id for case in cases}
    return {part: [case.case_id for case in found if case.case_id in known] for part, found in parts.items()}


def folder_of_splits(folder: Path, names: Iterable[str]) -> Path:
    """The folder that holds the parts' folders: the root, or one in it by a name of the set (`datasets/MoNuSeg`)."""
    homes = [folder, *(home for name in names if (home := below(folder, name)))]
    return next((home for home in homes if part_folders(home, "Train")), folder)


def picture_folders(home: Path) -> tuple[Path, Path] | None:
    """The folders of images and of masks in a folder, by any of their usual names; None without both."""
    inside = {path.name.lower(): path for path in _listing(home) if path.is_dir()}
    images = next((inside[name] for name in IMAGE_FOLDERS if name in inside), None)
    masks = next((inside[name] for name in MASK_FOLDERS if name in inside), None)
    return (images, masks) if images and masks else None


def caption_table(root: Path, part: str) -> Path | None:
    """The caption table of a part.

    `prompt/train.csv` comes first, then `Train_text`, then `Train_text_original` (MedCLIPSeg has variants
    beside it), then the only `Train_text*` (LViT's downloads bear the set's name), each as xlsx or CSV in
    the part's folder, the root or any folder in it; at last `Train_Val_text`, which serves both.

    Raises:
        DataError: Several tables and none of the plain names.
    """
    name = part.lower()
    homes = [root / name.format(part=part) for name in PART_FOLDERS]
    homes += [root, root / "Prompts_Folder", root / "prompt", *(path for path in _listing(root) if path.is_dir())]
    tables = [path for home in dict.fromkeys(homes) for path in _listing(home) if path.suffix.lower() in _TABLES]
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
            f"{named[0]}: one of {len(named)} caption tables of {part} ({', '.join(path.name for path in named)}).",
            f"Keep one, or name it {part}_text{named[0].suffix}.",
        )
    shared = [path for path in tables if part != "Test" and path.stem.lower() == "train_val_text"]
    return next(iter([*named, *shared]), None)


def pictures_in(folder: Path) -> dict[str, Path]:
    """The pictures of a folder by stem, sorted by name; what macOS leaves beside a file is no picture."""
    found: dict[str, Path] = {}
    for suffix in SUFFIXES:
        for path in _listing(folder):
            if path.suffix.lower() == suffix and path.stem not in found:
                found[path.stem] = path
    return dict(sorted(found.items()))


def paired_cases(
    folders: Sequence[tuple[Path, Path]],
    captions: Iterable[tuple[str, str]],
    subject: Callable[[str], str],
    extra: Collection[str] | None = None,
    prefix: str = "",
    mask: str = "{}",
) -> list[Case]:
    """One case a row of a caption table, then one an image without a row.

    A row names the image or its mask, with or without suffix and `mask_`. A missing file is entered
    under the name that it should have, for the checks to find.

    Args:
        folders: Pairs of image and mask folders, searched in order.
        captions: File name and caption, as `read_captions` gives them.
        subject: From an image's stem to its subject.
        extra: Stems of the images that count though no row names them, None for all: a folder may serve
            several tables.
        prefix: Put before the case ids.
        mask: How the release names the mask of an image, without suffix: "mask_{}". A missing one is told so.
    """
    images = [pictures_in(home) for home, _ in folders]
    masks = [pictures_in(home) for _, home in folders]
    known = {stem for listing in images for stem in listing}
    told: list[tuple[str, str | None]] = [(_stem_of(name, known), text) for name, text in captions]
    named = {stem for stem, _ in told}
    others = [stem for listing in images for stem in listing if extra is None or stem in extra]
    untold = [(stem, None) for stem in dict.fromkeys(others) if stem not in named]
    cases = []
    for stem, report in [*told, *untold]:  # a row for the image and one for its mask make two: the checks find them
        place = next((index for index, listing in enumerate(images) if stem in listing), 0)
        names = (stem, f"mask_{stem}", f"{stem}_mask", f"{stem}_segmentation", f"p{stem}")
        due = folders[place][1] / f"{mask.format(stem)}{_suffix(masks[place])}"
        label = next((masks[place][name] for name in names if name in masks[place]), due)
        image = images[place].get(stem, folders[place][0] / f"{stem}{_suffix(images[place])}")
        cases.append(Case(prefix + stem, (image,), label, subject=subject(stem), report=report))
    return cases


def lvit_cases(
    root: Path,
    part: str,
    subject: Callable[[str], str],
    *,
    optional: bool = False,
    layouts: Sequence[Layout] = (LVIT,),
    mask: str = "{}",
    tables: Path | None = None,
) -> list[Case]:
    """The cases of one part of LViT's layout.

    Args:
        root: The folder that holds the parts' folders.
        part: "Train", "Val" or "Test".
        subject: From an image's stem to its subject.
        optional: Whether the part may be absent.
        layouts: Those of the set, for what is told of a folder that has none of them.
        mask: See `paired_cases`.
        tables: Where a caption table is looked for that does not lie in `root`.

    Raises:
        DataError: The folders or the caption table are not there.
    """
    folders = part_folders(root, part, layouts)
    if folders is None:
        if optional:
            return []
        names = [layout.images.format(part=part) for layout in layouts]
        lacks = f"neither {' nor '.join(names)}" if len(names) > 1 else f"no {names[0]}"
        raise DataError(f"{root}: {lacks} in it.", "Give the folder that holds the parts' folders.")
    table = caption_table(root, part) or (caption_table(tables, part) if tables else None)
    if table is None:
        due = " or ".join(layout.captions.format(part=part, small=part.lower()) for layout in layouts)
        raise DataError(f"{root}: no captions for {part} ({due}).", "Get them where the card says.")
    captions = read_captions(table)
    other = {"Train": "Val", "Val": "Train"}.get(part)
    beside = part_folders(root, other, layouts) if other else None
    if beside:  # one table may serve both
        here, there = set(pictures_in(folders[0])), set(pictures_in(beside[0]))
        captions = [row for row in captions if _stem_of(row[0], here | there) not in there - here]
    return paired_cases([folders], captions, subject, mask=mask)


def _suffix(listing: Mapping[str, Path]) -> str:
    """The suffix that a missing file of a folder would have: its neighbours'."""
    return next((path.suffix for path in listing.values()), ".png")


def _stem_of(name: str, known: set[str]) -> str:
    """The stem of the image that a table's row means."""
    stem = Path(name).stem if Path(name).suffix.lower() in SUFFIXES else name
    bare = re.sub(r"^mask_|_mask$", "", stem)
    return stem if stem in known else bare


def _listing(folder: Path) -> list[Path]:
    """What lies in a folder, sorted; nothing where there is no folder."""
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if not path.name.startswith("."))
