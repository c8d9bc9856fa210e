"""A small replica of CVPR-BiomedSegFM, with the traps of its files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

CLASSES = {
    "CT_TotalSeg_organs": {"1": ["Spleen", "Spleen in abdominal CT"], "3": ["Liver", "CT imaging of the liver"]},
    "CT_TotalSeg_muscles": {"2": ["Left psoas muscle", "CT of the left psoas muscle"]},
    "MR_BraTS-T1c": {"1": ["Enhancing tumour", "Enhancing tumour in T1c MR"]},
    "CT_LungLesion": {"1": ["Lung lesion", "Lung lesion in abdominal CT"]},
    "Microscopy_urocell_Mitochondria": {"1": ["Mitochondria"]},
}
OBJECTS = ("CT_LungLesion", "Microscopy_urocell_Mitochondria")
"""The data sets whose label values count objects."""

TRAINING = {
    "CT/CT_TotalSeg_organs": [f"CT_TotalSeg_organs_s{number:04d}" for number in range(6)],
    "CT/CT_TotalSeg_muscles": [f"CT_TotalSeg_muscles_s{number:04d}" for number in range(3, 8)],
    "MR/MR_BraTS-T1c": [f"MR_BraTS-T1c_bratsgli_{number:04d}" for number in range(4)],
    "CT/CT_LungLesion": ["CT_LIDC-IDRI_LIDC-IDRI-0384_0002", "CT_LIDC-IDRI_LIDC-IDRI-0384_0003"],
    "Microscopy/Microscopy_urocell_Mitochondria": ["urocell_001_mito"],
}
VAL = {
    "CT_TotalSeg_muscles_s0003(1)": {"2": "CT of the left psoas muscle", "instance_label": 0},
    "CT_TotalSeg_organs_s0100": {"1": "Spleen", "3": "The largest organ of the abdomen", "instance_label": 0},
    "MR_BraTS-T1c_bratsgli_0100": {"1": "Enhancing tumour", "instance_label": 0},
    "CT_LungLesions_LUNG1-038": {"1": "Lung lesion", "instance_label": 1},
}
"""The first file shows a subject of the training, and a browser has added a number to its name."""

SHAPE = (10, 20, 24)
SPACING = (4.0, 4.0, 5.0)
"""The axes of the arrays are z, y, x; the spacing is x, y, z."""


def make_biomedsegfm(folder: Path) -> Path:
    """Write class list, training files of the coreset, and val files; return their folder."""
    root = folder / "CVPR-BiomedSegFM"
    number = 0
    for place, names in TRAINING.items():
        name = place.partition("/")[2]
        for stem in names:
            number += 1
            imgs, gts = draw_volume([*map(int, CLASSES[name])], number)
            path = root / "3D_train_npz_random_10percent_16G" / place / f"{stem}.npz"
            write_npz(path, imgs=imgs, gts=gts * 3 if name in OBJECTS else gts, spacing=np.array(SPACING))
    for stem, texts in VAL.items():
        number += 1
        imgs, gts = draw_volume([int(key) for key in texts if key.isdigit()], number)
        prompts = np.array(texts, dtype=object)
        write_npz(root / "3D_val_npz" / f"{stem}.npz", imgs=imgs, spacing=np.array(SPACING), text_prompts=prompts)
        write_npz(root / "3D_val_gt" / "3D_val_gt_text" / f"{stem.removesuffix('(1)')}.npz", gts=gts)
    content = {name: {**texts, "instance_label": int(name in OBJECTS)} for name, texts in CLASSES.items()}
    (root / "CVPR25_TextSegFMData_with_class.json").write_text(json.dumps(content), encoding="utf-8")
    return root


def draw_volume(values: list[int], seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return an image of 0 to 255 and a label with one box per value; the boxes do not touch."""
    rng = np.random.default_rng(seed)
    gts = np.zeros(SHAPE, np.uint8)
    for place, value in enumerate(values):
        top, row, column = int(rng.integers(0, 6)), int(rng.integers(0, 14)), 2 + 11 * place
        gts[top : top + 3, row : row + 5, column : column + 6] = value
    imgs = np.clip(rng.normal(60, 20, SHAPE) + 120 * (gts > 0), 0, 255)
    return imgs.astype(np.uint8), gts


def write_npz(path: Path, **arrays: Any) -> Path:
    """Write an npz file; an array of objects becomes a pickle, as numpy writes it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(path, **arrays)
    return path
