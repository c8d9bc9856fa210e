"""Data modules of a user's own pictures and volumes, as small as tests need them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from datamodules.bases.base import SegDataModule
from datamodules.build import build_datamodule
from datamodules.index.splits import SPLITS


def pictures(root: Path, **options: Any) -> SegDataModule:
    small: dict[str, Any] = {"title": "Mine", "patch": [16, 16], "batch_size": 2, "epoch_samples": 4}
    return build_datamodule("image_text_folder", "tiny", root=str(root), **{**small, **options})


def volumes(root: Path, **options: Any) -> SegDataModule:
    small: dict[str, Any] = {"title": "Mine", "patch": [8, 8, 8], "batch_size": 2, "epoch_samples": 4}
    return build_datamodule("nifti_folder", "tiny", root=str(root), **{**small, **options})


def counts(data: SegDataModule) -> list[int]:
    return [len(data.split.ids_of(part)) for part in SPLITS]
