"""Small replicas of MedCLIPSeg's packs: folders of the parts, a sheet of captions each, and sheets of other texts."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from datamodules.index.card import DataCard
from datamodules.sets.medclipseg import FOLDERS, SHEETS
from tests.helpers.image_sets import CORNERS, scene, write_picture, write_table
from zoo.registry import DATA

PARTS = {"Train": 8, "Val": 3, "Test": 4}
HEADER = ("Image", "Description", "Ground Truth")
WITHOUT_VAL, WITHOUT_SHEETS = ("colondb", "cvc300", "uwaterloo"), ("eus", "qata")
NAMES = {
    "busbra": "bus_{0:04d}-l",
    "eus": "C{0:02d}_V1_0042",
    "isic": "ISIC_{0:07d}",
    "qata": "sub-S{0:05d}_ses-E1_run-1",
    "buid": "{0} Benign Image",
}
"""Names of the images of the sets whose reader relies on them; images of the other sets have numbers."""


def make_pack(name: str, folder: Path) -> Path:
    """Write the pack of a set. Val of three sets is empty, also its sheet; two sets have no sheets of other texts."""
    root, number = folder / FOLDERS[name], 0
    sheets, colour = root / "Prompts_Folder", DataCard.of(DATA.get(f"medclipseg_{name}")).in_channels == 3
    for part, count in PARTS.items():
        rows = [HEADER]
        empty = part == "Val" and name in WITHOUT_VAL
        for _ in range(0 if empty else count):
            picture, mask = scene(number)
            stem = NAMES.get(name, "{0}").format(number * 40 + 1)
            masked = f"{stem}_Segmentation" if name == "isic" else f"mask_{stem}" if name == "qata" else stem
            image = picture if colour else picture.mean(axis=2).astype(np.uint8)
            write_picture(root / f"{part}_Folder" / "img" / f"{stem}.png", image)
            write_picture(root / f"{part}_Folder" / "label" / f"{masked}.png", mask)
            named = masked if name == "qata" else stem
            rows.append((f"{named}.png", f"One spot in the {CORNERS[number % 4]}.", f"{masked}.png"))
            number += 1
        write_table(sheets / f"{part}_text{'_original' * (part == 'Test')}.xlsx", rows[empty:])
        write_table(sheets / f"{part}_text_10.xlsx", rows[:2])
    for control, sheet in {} if name in WITHOUT_SHEETS else SHEETS.items():
        other = [(image, f"{control} of {image}", mask) for image, _, mask in rows[1:]]
        write_table(sheets / f"Test_text_{sheet}.xlsx", [HEADER, *reversed(other)])
    return root


MEDCLIPSEG_REPLICAS: dict[str, Callable[[Path], Path]] = {
    f"medclipseg_{one}": partial(make_pack, one) for one in FOLDERS
}
