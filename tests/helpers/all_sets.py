"""Functions for the tests of data sets: a tiny data set on a replica, its splits, and the content of its files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np

from datamodules.bases.base import SegDataModule
from datamodules.build import build_datamodule
from datamodules.index.splits import SPLITS

SMALL: dict[str, Any] = {"patch": [16, 16], "batch_size": 2, "epoch_samples": 4}
"""Options of a data set of pictures."""


def built(name: str, root: Path, **options: Any) -> SegDataModule:
    """Return a tiny data set of pictures on a replica."""
    return build_datamodule(name, "tiny", root=str(root), **{**SMALL, **options})


def counts(data: SegDataModule) -> list[int]:
    """Return the number of cases of each split."""
    return [len(data.split.ids_of(part)) for part in SPLITS]


def stored(path: Path) -> np.ndarray:
    """Return a replica's array in RAS order: the x axis of its file runs to the left."""
    return np.asarray(nib.load(path).dataobj)[::-1]


def edit(path: Path, **changes: Any) -> None:
    """Change keys of a JSON file."""
    path.write_text(json.dumps({**json.loads(path.read_text(encoding="utf-8")), **changes}), encoding="utf-8")
