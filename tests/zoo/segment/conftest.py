"""Trained runs on volumes in several grids and on pictures with reports."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import yaml
from lightning.pytorch import Trainer

from datamodules import SegDataModule, build_datamodule
from tests.helpers.data_sets import make_hippocampus, make_qata, write_nifti
from zoo.models import FiLM, SegModule, UNet

SMALL: dict[str, Any] = {"vision": "unet", "width": 4, "stages": 2}


def train(data: SegDataModule, model: SegModule, run: Path) -> dict[str, Any]:
    """Train one step, write a run folder, and return the predictions of the test cases by case."""
    trainer = Trainer(
        accelerator="cpu", max_steps=1, limit_val_batches=0, logger=False, enable_checkpointing=False,
        enable_progress_bar=False, enable_model_summary=False,
    )  # fmt: skip
    trainer.fit(model, data)
    trainer.save_checkpoint(run / "checkpoints" / "last.ckpt")
    config = {"model": {"class_path": f"zoo.models.{type(model).__name__}", "init_args": {}}, "data": {}}
    (run / "config.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    batches = trainer.predict(model, data) or []
    return {one.case_id: one for batch in batches for one in batch}


def turn(path: Path, axes: tuple[int, ...], flips: tuple[int, ...], sizes: tuple[float, ...], angle: float) -> None:
    """Store a volume with other axes, mirrored, with other voxel sizes, and turned in space."""
    array = np.flip(np.transpose(np.asarray(nib.load(path).dataobj), axes), flips)
    columns = np.diag(sizes)[:, np.argsort(np.argsort(axes))] if axes == (0, 1, 2) else np.diag(sizes)[:, list(axes)]
    for axis in flips:
        columns[:, axis] *= -1
    turned = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]]) @ columns
    affine = np.eye(4)
    affine[:3, :3], affine[:3, 3] = turned, (10, -20, 30)
    write_nifti(path, np.ascontiguousarray(array), affine)


@pytest.fixture(scope="session")
def volumes(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any], list[Path]]:
    """A run on volumes whose folder is gone, its predictions, and the raw files."""
    home = tmp_path_factory.mktemp("volumes")
    task = make_hippocampus(home, n=10)
    grids = [((0, 1, 2), (), (1.0, 1.0, 1.0), 0.0), ((1, 0, 2), (0,), (1.0, 1.5, 0.8), 0.0)]
    grids += [((2, 0, 1), (1, 2), (0.7, 1.0, 1.3), 0.2), ((0, 1, 2), (0, 1), (1.2, 0.9, 1.0), 0.3)]
    files = sorted((task / "imagesTr").glob("hippo*.nii.gz"))
    for place, file in enumerate(files):
        for path in (file, task / "labelsTr" / file.name):
            turn(path, *grids[place % len(grids)])
    data = build_datamodule("hippocampus", "tiny", root=str(task), patch=[16, 16, 16], batch_size=1, epoch_samples=1)
    found = train(data, UNet(data.facts, **SMALL), home / "run")
    raw = home / "raw"
    shutil.move(task / "imagesTr", raw)
    shutil.rmtree(task)
    return home / "run", found, [raw / file.name for file in files]


@pytest.fixture(scope="session")
def reports(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any], SegDataModule]:
    """A run on pictures with reports, its predictions, and its data."""
    home = tmp_path_factory.mktemp("reports")
    root = make_qata(home, train=12, test=3, size=40)
    data = build_datamodule("qata_cov19", "tiny", root=str(root), patch=[32, 32], batch_size=2, epoch_samples=2)
    model = FiLM(data.facts, encoder="tiny", **SMALL)
    return home / "run", train(data, model, home / "run"), data
