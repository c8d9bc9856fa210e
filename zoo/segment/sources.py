"""Where a trained model comes from: a run folder, one of its checkpoints, a model in one file, or a package."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from zoo.engine.run_folder import RunFolder
from zoo.engine.trained_model import load_run
from zoo.errors import CheckpointError, ConfigError
from zoo.hub.names import is_hub_name
from zoo.hub.package import is_package, read_package
from zoo.hub.pull import fetch
from zoo.models.base import SegModule
from zoo.preprocessing.training_input import TrainingInput
from zoo.segment.model_file import read_checkpoint, read_model
from zoo.utils.seals import hash_file_once


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A trained model.

    Attributes:
        model: The model, in evaluation mode, on the CPU.
        images: What the training recorded of its images.
        precision: The precision of the training.
        sha256: Hash of the file of the weights.
    """

    model: SegModule
    images: TrainingInput
    precision: str
    sha256: str


def load_source(source: str | Path, checkpoint: str | Path | None = None) -> LoadedModel:
    """Load a trained model.

    Args:
        source: A run folder, a checkpoint, a safetensors file of `write_model`, the folder of a package, or the name of
            one: `hub:OWNER/NAME@COMMIT`.
        checkpoint: The checkpoint of a run folder; by default the one with the best validation score, else the last.

    Raises:
        RunError, CheckpointError, ConfigError: As `load_run`, `read_model` and `read_checkpoint`.
    """
    path = fetch(str(source)) if is_hub_name(str(source)) else Path(source).expanduser()
    packed = path.is_dir() and is_package(path)
    if not path.is_file() and not packed:
        return _load_run(path, checkpoint)
    if checkpoint is not None:
        what = "package" if packed else "file"
        raise ConfigError(f"{path}: a {what} has one model.", f"Leave out the checkpoint {checkpoint}.")
    if packed:
        path = read_package(path).find_weights()
    run = _find_run(path)
    if run is not None:
        return _load_run(run, path)
    read = read_model if path.suffix == ".safetensors" else read_checkpoint
    return LoadedModel(*read(path), hash_file_once(path))


def _find_run(file: Path) -> Path | None:
    """Return the run folder that a checkpoint lies in; None for a file elsewhere."""
    run = file.parent.parent
    return run if file.parent == RunFolder(run).checkpoints and RunFolder(run).config.is_file() else None


def _load_run(source: Path, checkpoint: str | Path | None) -> LoadedModel:
    model = load_run(source, checkpoint)
    run = RunFolder(source)
    file = run.checkpoint(Path(checkpoint).expanduser() if checkpoint else None)
    if model.training_input is None:
        raise CheckpointError(
            f"{file}: it does not say how the images of the training were prepared: an earlier version wrote it.",
            "Train again, or use `zoo predict` with the data.",
        )
    precision = str((run.read_config().get("trainer") or {}).get("precision") or "32-true")
    return LoadedModel(model, model.training_input, precision, hash_file_once(file))
