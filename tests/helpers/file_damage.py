"""Ways to damage the files of a data set, for tests."""

from __future__ import annotations

import gzip
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from datamodules.build import build_datamodule
from tests.helpers.data_sets import write_nifti, write_png

Array = NDArray[Any]
BRAIN = "labelsTr/hippocampus_002.nii.gz"
SCAN = "imagesTr/hippocampus_002.nii.gz"
CHEST, MASK = "Train/Images/sub-s00002_ses-e2_cr.png", "Train/GTs/mask_sub-s00002_ses-e2_cr.png"
TABLE = "prompt/train.csv"
QATA, OWN = "qata_cov19", "image_text_folder"


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flip_byte(path: Path, place: int) -> None:
    content = bytearray(path.read_bytes())
    content[place] ^= 0xFF
    path.write_bytes(bytes(content))


def flip_png_checksum(path: Path) -> None:
    """Change the checksum of the pixels: the four bytes before the last chunk of 12 bytes."""
    flip_byte(path, -14)


def edit(path: Path, change: Callable[[Array], Array], affine: Array | None = None) -> None:
    image = nib.load(path)
    write_nifti(path, change(np.asarray(image.dataobj)), image.affine if affine is None else affine)


def place(path: Path, affine: Array) -> None:
    """Move the voxels to another place by another affine."""
    edit(path, lambda array: array, affine)


def shifted(*by: float) -> Array:
    affine = np.eye(4)
    affine[:3, 3] = by
    return affine


def turned(degrees: float) -> Array:
    angle, affine = np.radians(degrees), np.eye(4)
    affine[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    return affine


def no_affine(path: Path) -> None:
    """Write a header with zeros in the first row of the sform."""
    content = bytearray(gzip.decompress(path.read_bytes()))
    content[280:296] = bytes(16)
    path.write_bytes(gzip.compress(bytes(content)))


def with_value(value: float) -> Callable[[Array], Array]:
    def change(array: Array) -> Array:
        array = array.astype(np.float32)
        array[3, 3, 3] = value
        return array

    return change


def copy_case(root: Path, source: int, target: int, change: Callable[[Array], Array] = lambda array: array) -> None:
    """Make case `target` a copy of `source` with a changed image."""
    for folder in ("imagesTr", "labelsTr"):
        paths = [root / folder / f"hippocampus_{number:03d}.nii.gz" for number in (source, target)]
        shutil.copy(*paths)
        if folder == "imagesTr":
            edit(paths[1], change)


def part_of(root: Path, part: str, place: int = 0) -> int:
    return int(build_datamodule("hippocampus", "tiny", root=str(root)).split.ids_of(part)[place].rpartition("_")[2])


def copy_within_train(root: Path, change: Callable[[Array], Array] = lambda array: array) -> None:
    first, second = sorted(part_of(root, "train", index) for index in (0, 1))
    copy_case(root, first, second, change)


def louder(array: Array) -> Array:
    """Return another export of the same image: scaled, shifted, with a little noise."""
    noise = np.random.default_rng(0).normal(0, 0.01 * array.std(), array.shape)
    return (3 * array + 7 + noise).astype(np.float32)


def rows(root: Path, change: Callable[[list[str]], list[str]]) -> None:
    table = root / TABLE
    table.write_text("\n".join(change(table.read_text().splitlines())) + "\n")


def say(root: Path, text: str) -> None:
    """Change the caption of `CHEST`."""
    rows(root, lambda lines: [f'{Path(MASK).name},"{text}"' if Path(MASK).name in line else line for line in lines])


def opposite(root: Path) -> str:
    mask = np.asarray(Image.open(root / MASK)) > 0
    return "right" if mask[:, : mask.shape[1] // 2].sum() > mask.sum() / 2 else "left"


def copy_list(of: Path, to: Path) -> None:
    """Copy the test list of a set of MedVLSM to another set."""
    (to / "anns").mkdir(parents=True)
    shutil.copyfile(of / "anns" / "test.json", to / "anns" / "test.json")


def copy_picture(root: Path, source: str, target: str, change: Callable[[Array], Array] = lambda a: a) -> None:
    """Copy an image with its mask; the captions lose left and right."""
    for part in ("train", "test"):
        table = root / "prompt" / f"{part}.csv"
        table.write_text(table.read_text().replace("left ", "").replace("right ", ""))
    write_png(root / target, change(np.asarray(Image.open(root / source))))
    masks = [Path(name).parents[1] / "GTs" / f"mask_{Path(name).name}" for name in (source, target)]
    shutil.copy(root / masks[0], root / masks[1])


def brighter(array: Array) -> Array:
    noise = np.random.default_rng(0).normal(0, 1, array.shape)
    return np.clip(array * 0.9 + 12 + noise, 0, 255).astype(np.uint8)


def move_subject(root: Path, target: str = "s00002") -> None:
    """Give the last test image to a subject who is in the training split."""
    for folder in ("Images", "GTs"):
        for path in (root / "Test" / folder).glob("*s00014*"):
            path.rename(path.with_name(path.name.replace("s00014", target)))
    table = root / "prompt" / "test.csv"
    table.write_text(table.read_text().replace("s00014", target))


def double_row(root: Path) -> None:
    table = root / "cases.csv"
    lines = table.read_text(encoding="utf-8-sig").splitlines()
    table.write_text("\n".join([*lines, lines[1]]) + "\n")


def replace(path: Path, old: str, new: str) -> None:
    path.write_text(path.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")


def stray_value(root: Path) -> None:
    def change(array: Array) -> Array:
        array = np.array(array)
        array[np.where(array == 420)[0][0], np.where(array == 420)[1][0], np.where(array == 420)[2][0]] = 421
        return array

    edit(root / "mr_train" / "mr_train_1002_label.nii.gz", change)
