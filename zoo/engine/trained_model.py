"""The trained model of a run folder."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zoo.callbacks.checkpoints import explain_load_errors, load
from zoo.engine.lightning_cli import import_class
from zoo.engine.run_folder import RunFolder
from zoo.engine.run_seals import check_run, choose_checkpoint, is_sealed
from zoo.errors import ConfigError
from zoo.models.base import SegModule


def load_run(folder: str | Path, checkpoint: str | Path | None = None) -> SegModule:
    """Load the model that a run trained, in evaluation mode, on the CPU.

    The checkpoint holds the facts of the data set (`model.facts`), so the data are not needed.

    Args:
        folder: The run folder that `zoo fit --out` wrote, or `results/<job>` of a benchmark.
        checkpoint: The checkpoint to load; by default the one with the best validation score, else the last.

    Raises:
        RunError: The folder holds no run, or its configuration is not the one that the training wrote.
        CheckpointError: There is no checkpoint, it cannot be loaded, or it is not the one that the training wrote.
        ConfigError: The class of the model cannot be imported, or is no `SegModule`.

    Example:
        >>> load_run("runs/none")
        Traceback (most recent call last):
        zoo.errors.RunError: runs/none: no run is here. Train one first: `zoo fit ... --out runs/none`.
    """
    run = RunFolder(Path(folder).expanduser())
    config = run.read_config()
    manifest = check_run(run)
    path = str(config["model"]["class_path"])
    kind = import_class("model", path)
    if not issubclass(kind, SegModule):
        raise ConfigError(f"{run.config}: {path} is no SegModule.", f"Load it with {path}.load_from_checkpoint.")
    file = choose_checkpoint(run, Path(checkpoint).expanduser() if checkpoint else None, manifest)
    if not is_sealed(manifest):
        load(file)  # which refuses a damaged file, and the file of another run
    # The checkpoint has all weights: those with which the vision encoder started need not be on this machine.
    replaced: dict[str, Any] = {"vision_weights": ""} if _lacks_file(config, "vision_weights") else {}
    with explain_load_errors(file):
        model = kind.load_from_checkpoint(file, map_location="cpu", weights_only=True, **replaced)
    return model.eval()


def _lacks_file(config: Mapping[str, Any], name: str) -> bool:
    """Return whether an argument of the model is the path of a file or folder that is not on this machine."""
    value = str((config["model"].get("init_args") or {}).get(name) or "")
    return os.sep in value and not Path(value).expanduser().exists()
