"""A small replica of ReXGroundingCT, with the traps of its files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from scipy.ndimage import label

from datamodules.phantoms.findings import draw_findings

SHAPE = (24, 24, 16)
CT_AFFINE = np.diag([-4.0, -4.0, 6.0, 1.0])
"""The x axis runs to the left and the y axis to the back. The masks have an identity affine."""

CHALLENGE = "MICCAI_challenge_dataset.json"


def make_rexgroundingct(folder: Path, train: int = 12, base: int = 2, added: int = 3) -> Path:
    """Write listings, masks and CTs; return the folder of the listings.

    The findings are the first axis of a mask file, which numbers their nodules, and its affine is the identity.
    `train_5_b_1` shows the subject of `train_5_a_1`, which is reported. The first finding of a training volume has as
    many entities as a label shows at most. Test masks are withheld.
    """
    root = folder / "ReXGroundingCT"
    listings: dict[str, dict[str, list[Any]]] = {
        name: {"train": [], "val": [], "test": []} for name in ("dataset.json", CHALLENGE)
    }
    for number in range(train + base + added):
        part = "train" if number < train else "val"
        name = {0: "train_5_b_1.nii.gz", train: "train_5_a_1.nii.gz"}.get(number, f"train_{number + 10}_a_1.nii.gz")
        entry = _write_volume(root, name, number, part)
        listings[CHALLENGE][part].append(entry)
        if number < train + base:
            listings["dataset.json"][part].append(entry)
    withheld = {"name": "train_900_a_1.nii.gz", "findings": {"0": "A nodule."}, "shape": [*SHAPE], "pixels": {"0": 1}}
    for name, listing in listings.items():
        listing["test"].append({**withheld, "entity_counts": {"0": 1}})
        (root / name).write_text(json.dumps(listing), encoding="utf-8")
    return root


def _write_volume(root: Path, name: str, number: int, split: str) -> dict[str, Any]:
    """Write the CT and the masks of a volume; return its entry. The sentences are those of the phantom's findings."""
    drawn = draw_findings(0, split, number, SHAPE)
    there = [index for index, finding in enumerate(drawn.findings) if finding.present]
    masks = np.stack([label(np.flip(drawn.labelled(index), (0, 1)))[0] for index in there]).astype(np.uint8)
    ct = np.rint(drawn.image * 1400 - 1000).astype(np.int16)
    ct[0, 0] = -8192  # padding
    parts = name.split("_")
    place = root / "dataset" / "train_fixed" / "_".join(parts[:2]) / "_".join(parts[:3])
    for path, array, affine in ((place, np.flip(ct, (0, 1)), CT_AFFINE), (root / "segmentations", masks, np.eye(4))):
        path.mkdir(parents=True, exist_ok=True)
        nib.save(nib.Nifti1Image(np.ascontiguousarray(array), affine), path / name)
    shown = {str(place): drawn.findings[index].shown for place, index in enumerate(there)}
    return {
        "name": name,
        "findings": {str(place): drawn.findings[index].sentence for place, index in enumerate(there)},
        "entity_counts": shown | ({"0": 3} if split == "train" else {}),
        "shape": [*SHAPE],
        "pixels": {str(place): int((mask > 0).sum()) for place, mask in enumerate(masks)},
        "categories": {str(place): "2b" for place in range(len(there))},
        "protocol": "protocol1",
    }
