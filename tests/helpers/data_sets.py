"""Small replicas of the official layouts, for every test that needs files of a data set."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tests.helpers.caption_sheets import MEDCLIPSEG_REPLICAS
from tests.helpers.findings_set import make_rexgroundingct
from tests.helpers.image_sets import SLICE_REPLICAS
from tests.helpers.mask_sets import MASK_REPLICAS
from tests.helpers.prompt_lists import MEDVLSM_REPLICAS
from tests.helpers.refseg_set import make_m3d_refseg
from tests.helpers.segfm_set import make_biomedsegfm
from tests.helpers.textbrats_set import make_textbrats
from tests.helpers.tomography_sets import TOMOGRAPHY_REPLICAS
from tests.helpers.volume_sets import VOLUME_REPLICAS

BTCV_IDS = tuple(f"{number:04d}" for number in [*range(1, 11), *range(21, 41)])
ZONES = ("upper left lung", "lower left lung", "upper right lung", "lower right lung")


def write_nifti(path: Path, array: NDArray[np.generic], affine: NDArray[np.float64] | None = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(array, np.eye(4) if affine is None else affine), path)
    return path


def write_png(path: Path, array: NDArray[np.uint8]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)
    return path


def blob(shape: tuple[int, ...], centre: tuple[float, ...], radius: float) -> NDArray[np.bool_]:
    """Return a mask with a ball; centre and radius are in voxels."""
    grid = np.indices(shape)
    distance = sum((axis - middle) ** 2 for axis, middle in zip(grid, centre, strict=True))
    return np.asarray(distance <= radius**2)


def make_hippocampus(folder: Path, n: int = 12, seed: int = 0) -> Path:
    """Write `Task04_Hippocampus` with n cases of about 20x26x18 voxels; return the task's folder."""
    rng = np.random.default_rng(seed)
    task, entries = folder / "Task04_Hippocampus", []
    for number in range(1, n + 1):
        shape = tuple(int(size) for size in rng.integers([18, 24, 16], [22, 28, 20]))
        label = np.zeros(shape, dtype=np.uint8)
        middle = tuple(size / 2 for size in shape)
        label[blob(shape, (middle[0], middle[1] + 5, middle[2]), 4)] = 1
        label[blob(shape, (middle[0], middle[1] - 5, middle[2]), 4)] = 2
        image = (rng.normal(0, 0.2, shape) + label * 1.0) * rng.uniform(10, 1000)
        name = f"hippocampus_{number:03d}.nii.gz"
        write_nifti(task / "imagesTr" / name, image.astype(np.float32))
        write_nifti(task / "labelsTr" / name, label)
        entries.append({"image": f"./imagesTr/{name}", "label": f"./labelsTr/{name}"})
    (task / "imagesTr" / "._hippocampus_001.nii.gz").write_bytes(b"a trace of macOS")
    labels = {"0": "background", "1": "Anterior", "2": "Posterior"}
    (task / "dataset.json").write_text(json.dumps({"labels": labels, "training": entries}), encoding="utf-8")
    return task


def make_qata(
    folder: Path, train: int = 10, test: int = 4, val: int = 0, size: int = 32, layout: str = "languide", seed: int = 0
) -> Path:
    """Write QaTa-COV19 in the layout "languide", "lvit" or "kaggle" (the authors' own); return the root.

    With val > 0 "lvit" has a `Val_Folder`, and "kaggle" has a `Val_ID.xlsx`.
    """
    rng = np.random.default_rng(seed)
    root, first = folder / ("QaTa" if layout == "kaggle" else "QaTa-COV19-v2"), 1
    told: list[tuple[str, str]] = []
    for part, count in (("Train", train), ("Val", val), ("Test", test)):
        if not count:
            continue
        images = root / (f"{part}/Images" if layout == "languide" else f"{part}_Folder/img")
        masks = root / (f"{part}/GTs" if layout == "languide" else f"{part}_Folder/labelcol")
        if layout == "kaggle":
            home = root / "QaTa-COV19" / "QaTa-COV19-v2" / f"{'Test' if part == 'Test' else 'Train'} Set"
            images, masks = home / "Images", home / "Ground-truths"
        rows = []
        for number in range(first, first + count):
            name = f"covid_{number}" if part == "Train" and number % 4 == 0 else f"sub-s{number:05d}_ses-e{number}_cr"
            place = int(rng.integers(len(ZONES)))
            mask = blob((size, size), (size * (0.3, 0.7)[place % 2], size * (0.3, 0.7)[place // 2]), size / 8)
            gray = rng.normal(90, 12, (size, size)) + mask * 80
            write_png(images / f"{name}.png", np.clip(gray, 0, 255).astype(np.uint8))
            write_png(masks / f"mask_{name}.png", mask.astype(np.uint8) * 255)
            rows.append((f"mask_{name}.png", f"Unilateral pulmonary infection, one infected area, {ZONES[place]}."))
        first += count
        if layout == "kaggle":  # one table for train and val, whose images the list tells; ids of test without `mask_`
            told = [*told, *rows] if part != "Test" else rows
            names = [(name.removeprefix("mask_").removesuffix(".png"), text) for name, text in told]
            shown = names if part == "Test" else told
            _write_table(root / f"{'Test' if part == 'Test' else 'Train'}_text_for_Covid19.xlsx", sorted(shown))
            if part == "Val":
                _write_table(root / "Val_ID.xlsx", [(name, "") for name, _ in rows])
        else:
            _write_captions(root, part, sorted(rows), layout)
    return root


def _write_captions(root: Path, part: str, rows: list[tuple[str, str]], layout: str) -> None:
    if layout == "languide":
        path = root / "prompt" / f"{part.lower()}.csv"
        path.parent.mkdir(exist_ok=True)
        with path.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([("Image", "Description"), *rows])
        return
    _write_table(root / f"{part}_Folder" / f"{part}_text.xlsx", rows)


def _write_table(path: Path, rows: list[tuple[str, str]]) -> None:
    import openpyxl

    book = openpyxl.Workbook()
    for row in [("Image", "Description"), *rows]:
        book.active.append(row)
    book.save(path)


def make_btcv(folder: Path, ids: tuple[str, ...] = BTCV_IDS, shape: tuple[int, int, int] = (40, 36, 16)) -> Path:
    """Write `RawData/Training` with HU volumes whose x axis runs to the left; return the folder of `RawData`.

    The test split has no labels, and there are `._` files of macOS.
    """
    training = folder / "RawData" / "Training"
    affine = np.diag([-2.0, 2.0, 3.0, 1.0])
    for number in ids:
        rng = np.random.default_rng(int(number))
        body = blob(shape, tuple(size / 2 for size in shape), min(shape[:2]) / 2 - 4)
        image = np.where(body, rng.normal(40, 20, shape), -1000)
        label = np.zeros(shape, dtype=np.uint8)
        for organ in range(1, 14):
            place = tuple(float(rng.integers(size // 3, 2 * size // 3 + 1)) for size in shape)
            here = blob(shape, place, 2.5)
            label[here], image[here] = organ, 20 * organ
        write_nifti(training / "img" / f"img{number}.nii.gz", image.astype(np.int16), affine)
        write_nifti(training / "label" / f"label{number}.nii.gz", label, affine)
    write_nifti(folder / "RawData" / "Testing" / "img" / "img0061.nii.gz", image.astype(np.int16), affine)
    (training / "img" / "._img0001.nii.gz").write_bytes(b"a trace of macOS")
    return folder


REPLICAS: dict[str, Callable[[Path], Path]] = {
    **VOLUME_REPLICAS,
    **MASK_REPLICAS,
    **TOMOGRAPHY_REPLICAS,
    **SLICE_REPLICAS,
    "biomedsegfm": make_biomedsegfm,
    **MEDCLIPSEG_REPLICAS,
    **MEDVLSM_REPLICAS,
    "btcv": make_btcv,
    "hippocampus": make_hippocampus,
    "m3d_refseg": make_m3d_refseg,
    "qata_cov19": make_qata,
    "rexgroundingct": make_rexgroundingct,
    "textbrats": make_textbrats,
}
"""The function that writes the layout of each data set on disk; it returns the root. The contract tests use all."""

REQUIRED: dict[str, dict[str, Any]] = {
    "image_text_folder": {"title": "Replica"},
    "nifti_folder": {"title": "Replica"},
}
"""Options besides the root that a data set requires; most data sets require none."""
