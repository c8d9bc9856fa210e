"""`--ema`, `--early-stopping`, `--freeze` and `--accumulate` as parts of a configuration.

So they are part of the identity of a run. No torch here.
"""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from zoo.config import Composed
from zoo.errors import ConfigError

if TYPE_CHECKING:
    from zoo.engine.arguments import Request

AVERAGED_WEIGHTS = "zoo.callbacks.AveragedWeights"
EARLY_STOPPING = "zoo.callbacks.EarlyStopping"
FROZEN_ENCODER = "zoo.callbacks.FrozenEncoder"


def add_callbacks(request: Request, composed: Composed) -> Composed:
    """Add the callbacks of `--ema`, `--early-stopping` and `--freeze` to the layers.

    A callback that is there already is replaced.

    Raises:
        ConfigError: A flag replaces the list of callbacks, and with it those of the options.
    """
    asked: dict[str, dict[str, Any]] = {
        AVERAGED_WEIGHTS: {"decay": request.ema},
        EARLY_STOPPING: {"patience": request.early_stopping},
    }
    added = [{"class_path": path, "init_args": given} for path, given in asked.items() if None not in given.values()]
    added += [{"class_path": FROZEN_ENCODER}] if request.freeze else []
    if not added:
        return composed
    if any(key == "trainer.callbacks" for key, _ in request.flags):
        raise ConfigError(
            "--trainer.callbacks replaces the callbacks of --ema, --early-stopping and --freeze.",
            "Write --trainer.callbacks+=NAME.",
        )
    trainer = composed.config.get("trainer") or {}
    present = trainer.get("callbacks") or []
    paths = {entry["class_path"] for entry in added}
    kept = [entry for entry in _as_list(present) if _path(entry) not in paths]
    return replace(composed, config={**composed.config, "trainer": {**trainer, "callbacks": [*kept, *added]}})


def divide_batch(request: Request, config: MutableMapping[str, Any]) -> None:
    """Divide the batch of a parsed configuration, so that an optimiser step of several batches has the same samples.

    Args:
        request: The command with `--accumulate`; without it, nothing is changed.
        config: The parsed configuration of the command; it is changed.

    Raises:
        ConfigError: The batch or the epoch cannot be divided, or the configuration accumulates another number.
    """
    batches = request.accumulate
    if batches is None:
        return
    data, trainer = config["data"]["init_args"], config["trainer"]
    size, epoch, present = data.get("batch_size"), data.get("epoch_samples"), trainer["accumulate_grad_batches"]
    typed = any(key == "trainer.accumulate_grad_batches" for key, _ in request.flags)
    if present == batches and not typed:  # the configuration of such a run
        return
    if typed or present != 1 or (request.run_folder and request.verb != "fit"):
        raise ConfigError(
            f"--accumulate {batches}: trainer.accumulate_grad_batches is {present} already.", "Leave --accumulate out."
        )
    if not size or size % batches:
        raise ConfigError(
            f"--accumulate {batches} does not divide the batch of {size} samples.",
            f"Choose a divisor, or give --data.batch_size, a multiple of {batches}.",
        )
    if epoch and epoch % size:
        raise ConfigError(
            f"--accumulate {batches}: the last step of an epoch of {epoch} samples would have fewer than {size}.",
            f"Write --data.epoch_samples {max(epoch // size, 1) * size}.",
        )
    data["batch_size"], trainer["accumulate_grad_batches"] = size // batches, batches


def _as_list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [value]


def _path(entry: Any) -> str:
    return str(entry.get("class_path", "")) if isinstance(entry, Mapping) else str(entry)
