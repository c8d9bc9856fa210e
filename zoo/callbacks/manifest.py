"""The record of a run: its configuration and `manifest.json`, written before training and completed afterwards."""

from __future__ import annotations

import json
import math
import platform
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import EarlyStopping, WeightAveraging
from torch import nn

from zoo import __version__
from zoo.callbacks.averaged_weights import AveragedWeights
from zoo.callbacks.frozen_encoder import is_frozen
from zoo.callbacks.pretraining_data import find_pretraining_data
from zoo.config import config_hash
from zoo.contamination import MANIFEST_KEY
from zoo.encoders.staged_encoder import find_vision_encoders
from zoo.errors import RunError
from zoo.losses.segmentation import LossOptions
from zoo.metrics.case_scores import METRIC_VERSION
from zoo.models.parameter_counts import count_parameters
from zoo.registry import CONFIGS
from zoo.utils.atomic_files import write_text
from zoo.utils.format import format_quantity
from zoo.utils.hashing import hash_json
from zoo.utils.json_objects import read_object
from zoo.utils.machine import name_processor
from zoo.utils.seals import FILES, add_seal

_OF_DATA = {
    "split_hash": "splits",
    "prompt_hash": "texts",
    "data_hash": "files",
    "label_space_hash": "classes",
    "tolerance": "tolerance",
}
"""Conditions of the data that may not change after the start of a run, each with the word of the error."""

RUN_KEY = "zoo_config_hash"
"""Key of a checkpoint for the hash of the configuration of its run."""

MATCHED_OPTIONS = (
    *("vision", "width", "stages", "vision_weights", "norm", "freeze_text"),
    *("lr", "weight_decay", "warmup", "optimiser", "loss"),
)
"""Options of a model that a matched comparison has in common, as far as the model has them."""

VERSIONS = ("torch", "lightning", "monai", "transformers", "numpy")


class RunRecord(Callback):
    """Writes `config.yaml` and `manifest.json` once the model and the data are set up.

    Args:
        config: Path of the configuration file.
        manifest: Path of the manifest.
        text: The resolved configuration as YAML.
        known: Facts from the command: model, size, encoder, data, seed, config_hash.
        text_free: Whether the model never reads text.
    """

    def __init__(self, config: Path, manifest: Path, text: str, known: Mapping[str, Any], text_free: bool) -> None:
        self.config = config
        self.manifest = manifest
        self.text = text
        self.known = dict(known)
        self.text_free = text_free

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write both files, the configuration first; a resumed run keeps its first start time."""
        # All ranks do both: to count the steps they wait for each other, and each must end where the data differ.
        described = self._describe(trainer, pl_module)
        earlier = read_object(self.manifest) if self.manifest.is_file() else {}
        check_same_data(self.manifest, earlier, described)
        if not trainer.is_global_zero:
            return
        write_text(self.config, self.text, durable=True)
        manifest = described | {"started": earlier.get("started", _now())}
        write_text(self.manifest, json.dumps(manifest, indent=2) + "\n", durable=True)

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Name the run in each checkpoint, so that the checkpoint of another run is recognised."""
        checkpoint[RUN_KEY] = self.known.get("config_hash")

    def _describe(self, trainer: Trainer, module: LightningModule) -> dict[str, Any]:
        data: Any = getattr(trainer, "datamodule", None)
        facts = getattr(data, "facts", None) or {}
        weights = list(module.parameters())
        described = {
            "zoo": __version__,
            "git_commit": git_commit(),
            "versions": {"python": platform.python_version()} | {name: _version(name) for name in VERSIONS},
            **self.known,
            "text_track": "none" if self.text_free else facts.get("track"),
            "data_title": str(getattr(data, "title", "") or "") or None,
            "data_hash": getattr(data, "data_hash", None),
            "split_hash": getattr(data, "split_hash", None),
            "leak_declared": bool(getattr(data, "leak_declared", False)),
            "prompt_hash": getattr(data, "prompt_hash", None),
            **scoring_conditions(data),
            "metric_version": METRIC_VERSION,
            "budget": budget(trainer, data),
            "loss": loss_options(module),
            "text_loss": getattr(module, "text_loss_shown", "") or None,
            "validation": validation(trainer, data),
            "tested_weights": tested_weights(getattr(trainer, "callbacks", [])),
            "early_stopping": stopping_rule(getattr(trainer, "callbacks", [])),
            "frozen": "encoder" if is_frozen(getattr(trainer, "callbacks", [])) else "",
            "epochs": trainer.max_epochs if trainer.max_epochs and trainer.max_epochs > 0 else None,
            "devices": trainer.world_size,
            "hardware": describe_hardware(next((one.device for one in weights), torch.device("cpu"))),
            "split_sizes": count_cases(data),
            "params": getattr(module, "params", sum(p.numel() for p in weights)),
            "params_trainable": getattr(module, "params_trainable", sum(p.numel() for p in weights if p.requires_grad)),
            "parameters": count_parameters(module),
            "training": describe_training(module, data, trainer.gradient_clip_val),
            "encoder_versions": encoder_versions(module),
            "pretrained_vision": describe_pretraining(module),
            "started": None,
            "finished": None,
            "best_val_dice": None,
        }
        return described | {MANIFEST_KEY: find_pretraining_data(module, described)}


def encoder_versions(module: nn.Module) -> dict[str, str]:
    """Return the version of each named encoder: a commit of the hub, the version of a package, or "local"."""
    found = ((getattr(one, "name", ""), getattr(one, "revision", "")) for one in module.modules())
    return {name: version for name, version in found if isinstance(name, str) and isinstance(version, str) and version}


def describe_pretraining(module: nn.Module) -> str:
    """Return the pre-trained weights of the vision encoder with their version; empty for random weights."""
    encoders = find_vision_encoders(module)
    found = {name: version for encoder in encoders for name, version in encoder_versions(encoder).items()}
    return "; ".join(f"{name} ({version})" for name, version in found.items())


def describe_training(module: LightningModule, data: Any, gradient_clip: float | None = None) -> dict[str, Any]:
    """Return what a comparison may have in common beside the budget: vision network, optimiser, loss, augmentation."""
    given = getattr(module, "hparams", {})
    options = {name: value for name, value in given.items() if name in MATCHED_OPTIONS}
    options |= {"gradient_clip": gradient_clip} if gradient_clip else {}
    found: dict[str, Any] = json.loads(json.dumps(options | {"augment": getattr(data, "augment", None)}, default=str))
    return found


def describe_hardware(device: torch.device) -> str:
    """Return what a run computes on: the name of the GPU, or the processor and its threads."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    threads = format_quantity(torch.get_num_threads(), "thread")
    return f"{name_processor()}, {threads}" if device.type == "cpu" else device.type


def count_cases(data: Any) -> dict[str, int] | None:
    """Return the number of cases in train, val and test; None for data of another package without a split."""
    split = getattr(data, "split", None)
    counts = {part: getattr(split, part, None) for part in ("train", "val", "test")}
    return {part: len(cases) for part, cases in counts.items() if cases is not None} or None


def check_same_data(manifest: Path, earlier: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Check that a run continues, or is tested, with the data of its training. The folder of the data may differ.

    Raises:
        RunError: The splits, the texts, the files, the classes or the tolerance differ.
    """
    for key, what in _OF_DATA.items():
        if earlier.get(key) and now.get(key) and earlier[key] != now[key]:
            raise RunError(
                f"{manifest}: the run began with other data "
                f"({what}: {str(earlier[key])[:12]}, now {str(now[key])[:12]}).",
                "Give the data as they were at its start (--data.root, --data.split), or another --out.",
            )


def scoring_conditions(data: Any) -> dict[str, Any]:
    """Return what changes a score and is not in a file of the data: the label space and the tolerance of NSD."""
    facts = getattr(data, "facts", None) or {}
    labels = facts.get("labels")
    return {"label_space_hash": config_hash(labels) if labels else None, "tolerance": facts.get("tolerance")}


def finish(
    manifest: Path, best_val_dice: float | None, epochs: int, files: Mapping[str, str], *, ended_early: bool = False
) -> None:
    """Write the end of the run into the manifest, and seal the run; it is not trained again.

    Args:
        manifest: The file.
        best_val_dice: The score of the best checkpoint; None if there is none.
        epochs: The epochs that were trained; fewer than those of the budget after an early stop.
        files: SHA-256 of the configuration and of each checkpoint, by the path in the run folder.
        ended_early: Whether the training ended before its budget.
    """
    content = read_object(manifest)
    content |= {"finished": _now(), "best_val_dice": best_val_dice}
    content |= {"epochs_trained": epochs, "ended_early": ended_early}
    content |= {FILES: dict(sorted(files.items()))}
    write_text(manifest, json.dumps(add_seal(content), indent=2) + "\n", durable=True)


def tested_weights(callbacks: Iterable[Any]) -> str:
    """Return which weights the checkpoints of a run hold for its test."""
    averages = [one for one in callbacks if isinstance(one, WeightAveraging)]
    decays = [f", decay {one.decay}" for one in averages if isinstance(one, AveragedWeights)]
    return "".join(["average over the steps", *decays]) if averages else "trained"


def stopping_rule(callbacks: Iterable[Any]) -> str:
    """Return what may end a training before its budget: "val/dice, patience 10"; empty without such a rule."""
    rules = [one for one in callbacks if isinstance(one, EarlyStopping)]
    return "; ".join(f"{one.monitor}, patience {one.patience}" for one in rules)


def has_ended_early(trainer: Trainer, epochs: int) -> bool:
    """Return whether a training that has ended reached neither its epochs nor its steps.

    Args:
        trainer: The trainer.
        epochs: The epochs that were trained, also before an interruption.
    """
    limits = ((trainer.max_epochs, epochs), (trainer.max_steps, trainer.global_step))
    return not any(limit is not None and 0 <= limit <= reached for limit, reached in limits)


def budget(trainer: Trainer, data: Any) -> dict[str, int | None]:
    """Return the samples of the whole run and of an optimiser step over all devices; None if they are unknown."""
    batch_size = getattr(data, "batch_size", None)
    step = batch_size * trainer.accumulate_grad_batches if batch_size else None
    epoch = getattr(data, "epoch_samples", None)
    whole_epochs = trainer.limit_train_batches in (None, 1.0) and trainer.max_steps == -1
    if epoch and whole_epochs and trainer.max_epochs and trainer.max_epochs > 0:
        seen = int(epoch) // (batch_size or 1) * (batch_size or 1)  # an incomplete batch is never drawn
        return {"samples": seen * trainer.max_epochs, "batch_size": step}
    steps = trainer.estimated_stepping_batches
    return {"samples": int(steps) * step if step and math.isfinite(steps) else None, "batch_size": step}


def loss_options(module: LightningModule) -> dict[str, Any] | None:
    """Return the segmentation loss of a training by option; None for a model of another package without options."""
    options = getattr(module, "loss", None)
    return asdict(options) if isinstance(options, LossOptions) else None


def validation(trainer: Trainer, data: Any) -> dict[str, Any] | None:
    """Return what chooses the best checkpoint: the validated cases, and the training epochs between two validations.

    None for data of another package, which do not say which cases they validate.
    """
    if not hasattr(data, "cases_of"):
        return None
    keys = sorted(case.key for case in data.cases_of("val"))
    limit = trainer.limit_val_batches
    return {
        "val_cases": getattr(data, "val_cases", None),
        "cases": len(keys),
        "cases_hash": hash_json(keys),
        "epoch_samples": getattr(data, "epoch_samples", None),
        "every_epochs": trainer.check_val_every_n_epoch,
        **({} if limit in (None, 1.0) else {"limit_batches": limit}),
    }


def git_commit() -> str | None:
    """Return the commit of this checkout, with `-dirty` if it was changed; None for an installed wheel."""
    root = CONFIGS.parent
    if not (root / ".git").exists():
        return None
    command = ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=20).stdout.strip()  # noqa: S603
    except (OSError, subprocess.SubprocessError):
        return None  # git is not installed, or the checkout belongs to another user; the manifest also has the version


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
