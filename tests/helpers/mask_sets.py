"""Small replicas of data sets with one file of a binary mask per class."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from datamodules.sets.totalseg import mask_name
from tests.helpers.volume_sets import save
from zoo.registry import DATA

SIDE = 12
"""Voxels along each axis."""

PARTS = {"ct": ("train", "val", "test"), "mr": ("train", "train", "test")}
"""The splits of the cases; the archive of the MR data names no val case."""


def make_totalseg(folder: Path, name: str = "totalseg_organs") -> Path:
    """Write a card's masks of three cases, and `meta.csv`; return the folder of the cases.

    Each class is a cube of 2 voxels. Its mask also covers a voxel of the cube of the class before it, and the first of
    all classes is larger. The first case has all classes; in the others, the first and the last one are out of view.
    """
    root, modality = folder / "archive", "mr" if "_mr" in name else "ct"
    names = [mask_name(one) for one in DATA.get(name).about["classes"]]
    lines = ["image_id;age;split"]
    for number, part in enumerate(PARTS[modality]):
        case = root / f"s{number:04d}"
        rng = np.random.default_rng(number)
        image = rng.normal(0, 300, (SIDE, SIDE, SIDE)).astype(np.int16)
        save(case / f"{'mri' if modality == 'mr' else 'ct'}.nii.gz", image, (1.5, 1.5, 1.5))
        for place, one in enumerate(names):
            mask = np.zeros((SIDE // 2,) * 3, np.uint8)
            if not number or 0 < place < len(names) - 1:
                mask.flat[place] = 1
            mask = np.kron(mask, np.ones((2, 2, 2), np.uint8))
            if place and mask.any():
                mask[tuple(2 * index for index in np.unravel_index(place - 1, (SIDE // 2,) * 3))] = 1
            save(case / "segmentations" / f"{one}.nii.gz", mask, (1.5, 1.5, 1.5))
        lines.append(f"{case.name};{50 + number};{part}")
    (root / "meta.csv").write_text("\ufeff" + "\n".join(lines) + "\n", encoding="utf-8")
    return root


MASK_REPLICAS: dict[str, Callable[[Path], Path]] = {
    name: partial(make_totalseg, name=name) for name in DATA.names() if name.startswith("totalseg")
}
"""How each layout is made; each returns the root."""
