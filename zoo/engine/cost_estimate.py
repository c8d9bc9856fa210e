"""What a training costs: from the cards and the configuration, and from some measured steps. No torch here.

`zoo show --data`, `zoo fit` on a processor and `zoo bench plan --probe` use the same numbers.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from zoo.cards import ModelCard
from zoo.config import Composed, find_card
from zoo.registry import DATA, ENCODERS, MODELS
from zoo.sizes import PLANNED_SIZES
from zoo.text.text_losses import read_text_loss
from zoo.utils.batch_limits import limit_batches
from zoo.utils.config_values import find_value
from zoo.utils.format import format_bytes, format_duration

DAY = 86_400.0
"""Seconds of a training, above which a user is asked for `--yes`."""

FEW_STEPS = 100
"""A training of so few steps is not measured: it passes a day only if a step takes a quarter of an hour."""

PROBE_LIMIT = 1800.0
"""Seconds of a whole probe, with the start, the preparation of its cases and a download."""

SECONDS = "ZOO_PROBE_SECONDS"
"""The variable with the seconds after which a probe ends, also within a step; without it, all steps are measured."""

_TRAINED, _FROZEN = 16, 4  # bytes per parameter: weight, gradient and two moments of AdamW; a frozen weight alone
_WEIGHTS = (
    *("model.safetensors", "pytorch_model.bin"),
    *("open_clip_model.safetensors", "open_clip_pytorch_model.bin"),
)


@dataclass(frozen=True, slots=True)
class HubFiles:
    """Weights that a model reads from a hub.

    Attributes:
        option: The option that chooses them: "model.encoder".
        name: Name of the encoder, or the repository.
        repo: The repository.
        revision: The commit.
        size: Approximate size of the download in bytes; None where no card says it.
        here: Whether they are on this machine.
    """

    option: str
    name: str
    repo: str
    revision: str
    size: int | None
    here: bool

    def describe(self) -> str:
        """Describe the files in one line."""
        where = "on this machine" if self.here else "not on this machine"
        size = "" if self.size is None else f", about {format_bytes(self.size)}"
        return f"{self.name} ({self.repo} at {self.revision[:10]}{size}, {where})"


@dataclass(frozen=True, slots=True)
class Needs:
    """What the cards and the configuration say of a training.

    Attributes:
        samples: Training samples that are drawn; None where only the classes know the number.
        steps: Optimiser steps; None where only the classes know the number.
        batch_size: Samples per batch.
        patch: Size of a sample.
        parameters: Parameters of the network without its text encoder; None where no card says it.
        encoder_parameters: Parameters of the text encoder; 0 without one, None where no card says it.
        memory: Bytes of weights, gradients and optimiser; None where the parameters are not known.
        hub: The weights that the model reads from a hub.
    """

    samples: int | None
    steps: int | None
    batch_size: int | None
    patch: tuple[int, ...]
    parameters: int | None
    encoder_parameters: int | None
    memory: int | None
    hub: tuple[HubFiles, ...]

    @property
    def downloads(self) -> tuple[HubFiles, ...]:
        """The weights that are not on this machine."""
        return tuple(files for files in self.hub if not files.here)

    def lines(self) -> dict[str, str]:
        """Return each fact as text, by its title."""
        patch = "x".join(map(str, self.patch))
        samples = "not known" if self.samples is None else f"{self.samples}, batches of {self.batch_size}"
        known = self.memory is not None
        memory = f"{format_bytes(self.memory)} for weights, gradients and optimiser, plus activations" if known else ""
        return {
            "samples": f"{samples}, {patch} each" if patch else samples,
            "steps": "not known" if self.steps is None else str(self.steps),
            "parameters": _millions(self.parameters) + self._of_encoder(),
            "memory": memory or "not known without --probe",
            "hub files": "; ".join(files.describe() for files in self.hub) or "none",
        }

    def _of_encoder(self) -> str:
        return "" if self.encoder_parameters == 0 else f", and {_millions(self.encoder_parameters)} of the text encoder"


def _millions(number: int | None) -> str:
    return "not known" if number is None else f"{number / 1e6:.1f} million"


def find_needs(composed: Composed, config: Mapping[str, Any] | None = None) -> Needs:
    """Return what the cards and the configuration say of a training.

    Args:
        composed: The merged layers.
        config: The configuration with flags and class defaults; by default that of `composed`.
    """
    config = composed.config if config is None else config
    steps, batch = count_training_steps(config), find_value(config, "data.batch_size")
    accumulate = int(find_value(config, "trainer.accumulate_grad_batches") or 1)
    card = find_card(MODELS, composed.model, "model") if composed.model in MODELS else None
    data = DATA.get(composed.data) if composed.data in DATA else None
    dims = int(data.about.get("spatial_dims", 0)) if data else 0
    published = card is not None and composed.size == "published"
    parameters = ModelCard.of(card).parameters.get(dims) if card and published else None
    encoder = str(find_value(config, "model.encoder") or "")
    of_encoder, frozen = _encoder(encoder, find_value(config, "model.freeze_text"))
    memory = None
    if parameters is not None and of_encoder is not None:
        memory = parameters * _TRAINED + of_encoder * (_FROZEN if frozen else _TRAINED)
    return Needs(
        samples=None if steps is None or not batch else steps * accumulate * int(batch),
        steps=steps,
        batch_size=batch,
        patch=tuple(find_value(config, "data.patch") or ()),
        parameters=parameters,
        encoder_parameters=of_encoder,
        memory=memory,
        hub=find_hub_files(config),
    )


def _encoder(name: str, freeze: bool | None) -> tuple[int | None, bool]:
    """Return the parameters of a text encoder, and whether it is frozen."""
    if not name:
        return 0, True
    if name not in ENCODERS:
        return None, freeze is not False
    card = ENCODERS.get(name)
    return card.about.get("parameters"), bool(card.config.get("freeze", True)) if freeze is None else freeze


def is_published(model: str, size: str) -> bool:
    """Return whether a size is the published one of a model, by its card, or one of the planner, which is as large."""
    if size in PLANNED_SIZES:
        return True
    if size != "published" or model not in MODELS:
        return False
    card = MODELS.get(model)
    return "published" in card.sizes or bool(ModelCard.of(card).parameters)


def find_hub_files(config: Mapping[str, Any]) -> tuple[HubFiles, ...]:
    """Return the weights that the model of a configuration reads from a hub. A local folder is none."""
    found = []
    for option, encoder in find_text_encoders(config):
        if encoder not in ENCODERS:
            continue
        card = ENCODERS.get(encoder)
        repo, revision = str(card.config.get("repo", "")), str(card.config.get("revision", "main"))
        package = card.config.get("package")
        packaged = bool(package) and find_spec(str(package)) is not None
        size = card.about.get("download_mb")
        here = packaged or is_on_this_machine(repo, revision)
        bytes_ = None if size is None else int(size) * 10**6
        found += [HubFiles(option, encoder, repo, revision, bytes_, here)] if repo else []
    weights = str(find_value(config, "model.vision_weights") or "")
    if weights and not has_local_vision_weights(config) and not Path(weights).expanduser().exists():
        repo, _, commit = weights.partition("@")
        revision = commit or "main"
        if repo == "hub":
            repo = _timm_repository(str(find_value(config, "model.vision") or ""))
        here = is_on_this_machine(repo, revision)
        found.append(HubFiles("model.vision_weights", weights, repo, revision, None, here))
    return tuple(found)


def find_text_encoders(config: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the text encoders that a configuration names: (option, name or folder).

    Raises:
        ConfigError: There is no text loss of the name of `model.text_loss`.
    """
    loss = read_text_loss(str(find_value(config, "model.text_loss") or ""))
    of_loss = [("model.text_loss", loss.encoder)] if loss else []
    encoder = str(find_value(config, "model.encoder") or "")
    return [*([("model.encoder", encoder)] if encoder else []), *of_loss]


def has_local_vision_weights(config: Mapping[str, Any]) -> bool:
    """Return whether a configuration asks for vision weights of an installed package, a folder or a file.

    "convnext" also takes the name of a hub repository, so that a text without a folder is none.
    """
    weights = str(find_value(config, "model.vision_weights") or "")
    of_timm = str(find_value(config, "model.vision") or "").startswith("timm:")
    return bool(weights) and (weights.startswith("package:") or (of_timm and weights.partition("@")[0] != "hub"))


def _timm_repository(vision: str) -> str:
    """Return the repository of a network of timm; its name where timm does not know the network."""
    import timm

    network = vision.removeprefix("timm:")
    config = timm.get_pretrained_cfg(network) if timm.is_model(network) else None
    return str(getattr(config, "hf_hub_id", None) or network)


def is_on_this_machine(repo: str, revision: str) -> bool:
    """Return whether the weights of a hub repository are in the cache of the hub's client."""
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        return any(isinstance(try_to_load_from_cache(repo, name, revision=revision), str) for name in _WEIGHTS)
    except HFValidationError:  # a text that is no repository, for example a folder that does not exist
        return False


def count_training_steps(config: Mapping[str, Any]) -> int | None:
    """Compute the number of optimiser steps from the configuration; None where it does not define the number."""
    most, epochs = find_value(config, "trainer.max_steps"), find_value(config, "trainer.max_epochs")
    samples, batch = find_value(config, "data.epoch_samples"), find_value(config, "data.batch_size")
    by_epochs = None
    if isinstance(epochs, int) and epochs > 0 and samples and batch:
        limit = find_value(config, "trainer.limit_train_batches")
        batches = limit_batches(int(samples) // int(batch), limit if isinstance(limit, int | float) else 1.0)
        by_epochs = epochs * -(-batches // int(find_value(config, "trainer.accumulate_grad_batches") or 1))
    by_steps = most if isinstance(most, int) and most >= 0 else None
    known = [steps for steps in (by_epochs, by_steps) if steps is not None]
    return min(known, default=None)


def measure_steps(words: Sequence[str], limit: float, seconds: float | None = None) -> dict[str, Any]:
    """Measure some training steps with `zoo.engine.cost_probe` in a new process.

    Args:
        words: The words of `zoo fit` without the verb.
        limit: Seconds after which the process is ended.
        seconds: Seconds of training after which the probe ends, also within a step; None for all of its steps.

    Returns:
        What the probe prints: seconds per step, peak memory, device, steps of the whole training. `note` says why
        there is no measurement.

    Raises:
        subprocess.TimeoutExpired: The process did not end in time.
    """
    command = [sys.executable, "-P", "-m", "zoo.engine.cost_probe", *words]
    own = {} if seconds is None else {SECONDS: str(seconds)}
    done = subprocess.run(  # noqa: S603 - our own command line
        command,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        check=False,
        timeout=limit,
        env=os.environ | own,
    )
    if done.returncode:
        return {"note": f"no probe: {_reason(done.stdout + done.stderr, done.returncode)}"}
    seen: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return seen


def _reason(output: str, code: int) -> str:
    """Return the line of the error, else the last line."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line.removeprefix("zoo: error: ") for line in lines if line.startswith("zoo: error: ")]
    return (errors or lines or [f"exit code {code} without output"])[-1]


def total_seconds(steps: int | None, measured: Mapping[str, Any]) -> float | None:
    """Return the seconds of the whole training, without validation and tests; None where something is not known."""
    whole, step = measured.get("steps_planned") or steps, measured.get("step_seconds")
    return None if whole is None or step is None else float(whole) * float(step)


def format_hours(seconds: float) -> str:
    """Return a long duration in days, a short one as h:mm:ss.

    Example:
        >>> format_hours(90.0), format_hours(3 * 86400.0)
        ('0:01:30', '3.0 days')
    """
    return f"{seconds / DAY:.1f} days" if seconds > DAY else format_duration(seconds)
