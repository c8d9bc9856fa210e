"""Run folders of small untrained models."""

from __future__ import annotations

from pathlib import Path

import torch
import yaml

from zoo.models.base import SegModule
from zoo.preprocessing import PreprocessingSpec
from zoo.preprocessing.training_input import KEY, TrainingInput


def write_run(run: Path, model: SegModule, spec: PreprocessingSpec) -> Path:
    """Write the run folder of a model, without a training."""
    (run / "checkpoints").mkdir(parents=True)
    unit = "mm" if model.facts.spatial_dims == 3 else "px"
    checkpoint = {
        "state_dict": model.state_dict(),
        "hyper_parameters": dict(model.hparams),
        "pytorch-lightning_version": "2.6.4",
        KEY: TrainingInput({"": spec}, unit).to_dict(),
    }
    torch.save(checkpoint, run / "checkpoints" / "last.ckpt")
    config = {"model": {"class_path": f"zoo.models.{type(model).__name__}", "init_args": {}}, "data": {}}
    (run / "config.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    return run
