"""The weights of a trained model as a safetensors file, with all that builds the model again in its metadata."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from zoo.engine.lightning_cli import import_class
from zoo.errors import CheckpointError
from zoo.models.base import SegModule
from zoo.preprocessing.training_input import TrainingInput

KEY = "zoo"
"""Key of the metadata of a file, whose value is JSON."""


def describe_model(model: SegModule) -> dict[str, Any]:
    """Return what builds a model again, as plain Python: class, arguments, and the state that is no tensor."""
    kind = type(model)
    package = "zoo.models" if kind.__module__.startswith("zoo.models.") else kind.__module__
    extra = {name: value for name, value in model.state_dict().items() if not isinstance(value, Tensor)}
    return {"class_path": f"{package}.{kind.__qualname__}", "init_args": dict(model.hparams), "extra_state": extra}


def write_weights(path: Path, model: SegModule, description: Mapping[str, Any]) -> None:
    """Write the weights of a model, with the description in the metadata of the file."""
    tensors = {
        name: value.detach().cpu().clone().contiguous()
        for name, value in model.state_dict().items()
        if isinstance(value, Tensor)
    }
    save_file(tensors, path, metadata={KEY: json.dumps(description)})


def read_weights(path: Path) -> tuple[SegModule, dict[str, Any]]:
    """Build the model of a file, in evaluation mode, on the CPU.

    Returns:
        The model, and the description of the file.

    Raises:
        CheckpointError: The file is no export of a model, or its weights do not fit.
    """
    try:
        with safe_open(path, framework="pt") as opened:
            description: dict[str, Any] = json.loads((opened.metadata() or {})[KEY])
            state: dict[str, Any] = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
        built = description["model"]
        kind = import_class("model", str(built["class_path"]))
        model = kind(**built["init_args"])
        model.load_state_dict(state | built["extra_state"])
    except (OSError, SafetensorError, ValueError, KeyError, TypeError, RuntimeError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise CheckpointError(
            f"{path}: not the weights of a model of the zoo: {reason[:200]}", "Export them again with `zoo export`."
        ) from error
    if "preprocessing" in description:
        model.training_input = TrainingInput.from_dict(description)
    return model.eval(), description


def same_weights(one: SegModule, other: SegModule) -> bool:
    """Return whether two models have equal weights."""
    mine, theirs = one.state_dict(), other.state_dict()
    tensors = [name for name, value in mine.items() if isinstance(value, Tensor)]
    return mine.keys() == theirs.keys() and all(torch.equal(mine[name].cpu(), theirs[name]) for name in tensors)
