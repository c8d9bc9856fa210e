"""Small replicas of MedVLSM's sets: prompt lists in levels, images and masks."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from datamodules.index.card import DataCard
from tests.helpers.image_sets import CORNERS, scene, write_picture
from zoo.registry import DATA

COUNTS = {"train": 8, "val": 3, "test": 4}
WITHOUT_VAL = ("colondb", "etis", "cvc300")
FOLDER = {name: f"{name}_polyp" for name in ("kvasir", "clinicdb", "bkai", *WITHOUT_VAL)}
KNOWLEDGE = ("which is a growth of tissue", "which is a bump")


def make_medvlsm(name: str, folder: Path) -> Path:
    """Write `data/<set>/{anns,images,masks}`; return `data`. BUSI has an image with two masks and a normal one."""
    root = folder / "data" / FOLDER.get(name, name)
    levels = [*DataCard.of(DATA.get(f"medvlsm_{name}")).prompt_tracks]
    colour, number = DataCard.of(DATA.get(f"medvlsm_{name}")).in_channels == 3, 0
    for split, count in COUNTS.items():
        items = []
        for place in range(0 if split == "val" and name in WITHOUT_VAL else count):
            picture, mask = scene(number)
            image = picture if colour else picture.mean(axis=2).astype(np.uint8)
            normal = name == "busi" and place == 2
            for file, mask_file, part, text in _queries(name, split, place, number, mask * np.uint8(not normal)):
                write_picture(root / "images" / _part(name, split) / file, image)
                write_picture(root / "masks" / _part(name, split) / mask_file, part)
                items.append(_item(file, mask_file, levels, "No tumor." if normal else text, CORNERS[number % 4]))
            number += 1
        (root / "anns").mkdir(parents=True, exist_ok=True)
        (root / "anns" / f"{split}.json").write_text(json.dumps(items), encoding="utf-8")
    if name == "busi":  # a second mask of the first image
        write_picture(root / "masks" / "0_benign_mask_1.png", np.eye(48, 40, dtype=np.uint8) * 255)
    return root.parent


def edit_list(root: Path, split: str, edit: Callable[[list[dict[str, Any]]], object]) -> None:
    """Change the items of a list of the set in `root`."""
    path = next(root.glob(f"*/anns/{split}.json"))
    items = json.loads(path.read_text(encoding="utf-8"))
    edit(items)
    path.write_text(json.dumps(items), encoding="utf-8")


def _part(name: str, split: str) -> str:
    return "" if name != "camus" else "test" if split == "test" else "train"


def _queries(name: str, split: str, place: int, number: int, mask: Any) -> list[tuple[str, str, Any, str]]:
    """Image file, mask file, mask and class text of each item of an image."""
    half = np.where(np.arange(mask.shape[0])[:, None] < mask.shape[0] // 2 + number % 2, mask, 0).astype(np.uint8)
    if name == "camus":  # val counts as train, and test begins again with patient 1
        patient = place + 1 + (COUNTS["val"] if split == "train" else 0)
        stem = f"patient{patient:04d}_2CH_ED"
        return [(f"{stem}.png", f"mask_{n}/{stem}_gt.png", part, text) for n, part, text in (
            (1, mask, "Left ventricular cavity"), (2, np.maximum(half, mask), "Myocardium"))]  # fmt: skip
    if name == "chexlocalize":
        stem = f"patient{number:05d}_study1_view1_frontal"
        return [(f"{stem}.jpg", f"{stem}_{text.lower()}.png", mask, text) for text in ("Edema", "Atelectasis")]
    stem = {"busi": f"{number}_benign", "isic": f"ISIC_{number:07d}"}.get(name, str(number * 40 + 1))
    suffix = {"kvasir": ".jpg", "isic": ".jpg", "dfu": ".jpg", "bkai": ".jpeg"}.get(name, ".png")
    file = f"{stem}_Segmentation.png" if name == "isic" else f"{stem}{suffix}"
    text = {"busi": "Tumor", "isic": "skin melanoma", "dfu": "foot ulcer"}.get(name, "polyp")
    return [(f"{stem}{suffix}", file, mask, text)]


def _item(file: str, mask: str, levels: list[str], text: str, corner: str) -> Mapping[str, Any]:
    told: dict[str, str | list[str]] = {
        level: f"{'large ' * (level > 'p3')}{text}{f', in the {corner}' * (level > 'p5')}" for level in levels
    }
    told |= {level: [f"{text} {one}" for one in KNOWLEDGE] for level in levels if level == "p7"}
    box = [9, 9, 0, 0] if text.startswith("No ") else [1, 1, 9, 9]
    if text.startswith("No "):
        told = dict.fromkeys(levels, text)
    return {"img_name": file, "mask_name": mask, "bbox": box, "cat": 0, "prompts": told | {"p0": ""}}


MEDVLSM = ("kvasir", "clinicdb", "colondb", "etis", "cvc300", "bkai", "busi", "isic", "dfu", "camus", "chexlocalize")
MEDVLSM_REPLICAS: dict[str, Callable[[Path], Path]] = {f"medvlsm_{one}": partial(make_medvlsm, one) for one in MEDVLSM}
