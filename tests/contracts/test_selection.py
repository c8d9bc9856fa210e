"""No test case influences training or selection: other test images give the same run, bit for bit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from datamodules.sets.phantom_chest import PhantomChest
from zoo.cli.main import main
from zoo.preprocessing.apply import PreparedCase
from zoo.types import Case

FIT = [
    *("fit", "--model", "unet", "--data", "phantom_chest", "--size", "tiny", "--trainer", "cpu"),
    *(
        "--model.channels",
        "[4,4,4,4,4,4]",
        "--data.counts",
        "[6,2,5]",
        "--data.pixels",
        "32",
        "--data.patch",
        "[32,32]",
    ),
    *("--data.batch_size", "4", "--data.epoch_samples", "8", "--trainer.max_epochs", "3"),
]

Record = tuple[dict[str, Any], str, dict[str, dict[str, torch.Tensor]]]


def spoil(patch: pytest.MonkeyPatch, split: str) -> None:
    """Negate the images and invert the labels of a split."""
    honest = PhantomChest.load

    def load(self: PhantomChest, case: Case) -> PreparedCase:
        prepared = honest(self, case)
        if not case.subject.startswith(split) or prepared.label is None:
            return prepared
        return prepared._replace(image=np.ascontiguousarray(-prepared.image), label=1 - prepared.label)

    patch.setattr(PhantomChest, "load", load)


def fit(out: Path) -> Record:
    """Train, and return the best score, every logged number and the weights of both checkpoints."""
    assert main([*FIT, "--out", str(out)]) == 0
    manifest = json.loads((out / "manifest.json").read_text())
    states = {
        name: torch.load(out / "checkpoints" / f"{name}.ckpt", weights_only=True)["state_dict"]
        for name in ("best", "last")
    }
    kept = {key: manifest[key] for key in ("best_val_dice", "split_hash", "config_hash")}
    return kept, (out / "metrics.csv").read_text(), states


def test_no_test_case_influences_training_or_selection(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    manifest, logged, states = fit(tmp_path / "honest")
    with monkeypatch.context() as patch:
        spoil(patch, "test")
        other_manifest, other_logged, other_states = fit(tmp_path / "other-test")
    assert other_manifest == manifest
    assert other_logged == logged
    for name, state in states.items():
        assert all(value.equal(other_states[name][key]) for key, value in state.items() if torch.is_tensor(value))
    with monkeypatch.context() as patch:
        spoil(patch, "val")  # the check works: selection reads the validation split
        val_manifest, _, val_states = fit(tmp_path / "other-val")
    assert val_manifest["best_val_dice"] != manifest["best_val_dice"]
    assert all(value.equal(val_states["last"][key]) for key, value in states["last"].items() if torch.is_tensor(value))
