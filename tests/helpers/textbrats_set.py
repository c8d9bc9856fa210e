"""A small replica of TextBraTS: BraTS 2020 with a text per case and the two lists of the release."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from tests.helpers.volume_sets import make_brats

NAME = "BraTS20_Training_{:03d}"
TEXTS = "TextBraTSData"


def make_textbrats(folder: Path, train: int = 3, val: int = 2, test: int = 2) -> Path:
    """Write images, texts and lists; return their folder.

    The texts have a folder of their own; that of the first case is also merged into the folder of its images. One
    case with images and a text is in no list.
    """
    count = train + val + test
    root = make_brats(folder, "old", count + 1, NAME)
    for number in range(count + 1):
        path = text_of(root, number)
        path.parent.mkdir(parents=True)
        side = ("left", "right")[number % 2]
        path.write_text(f"The lesion lies in the {side} frontal lobe,\nwith oedema around it.\n", encoding="utf-8")
    shutil.copy(text_of(root, 0), root / "TrainingData" / NAME.format(0))
    folds = [1] * train + [0] * (val + test)
    entries = [entry(number, fold) for number, fold in enumerate(folds)]
    for name, part in (("Train.json", entries[: train + val]), ("Test.json", entries[train + val :])):
        (root / name).write_text(json.dumps({"training": part}), encoding="utf-8")
    return root


def text_of(root: Path, number: int) -> Path:
    """Return the path of a text."""
    name = NAME.format(number)
    return root / TEXTS / name / f"{name}_flair_text.txt"


def entry(number: int, fold: int) -> dict[str, object]:
    """Return the entry of a case in a list."""
    start = f"{NAME.format(number)}/{NAME.format(number)}"
    images = [f"{start}_{end}.nii.gz" for end in ("flair", "t1", "t1ce", "t2")]
    label, feature = f"{start}_seg.nii.gz", f"{start}_flair_text.npy"
    return {"fold": fold, "image": images, "label": label, "text_feature": feature}
