"""`zoo fit --find-lr`: Lightning's range test of the learning rate, in place of a training."""

from __future__ import annotations

import math
import tempfile
from typing import Any

from lightning.pytorch.tuner.lr_finder import _LRFinder
from lightning.pytorch.tuner.tuning import Tuner

from zoo.engine.initial_weights import InitialWeights, load_weights
from zoo.engine.lightning_cli import ZooCLI
from zoo.errors import RunError

STEPS = 100
"""Steps of the range test, each with a higher rate."""

LOWEST, HIGHEST = 1e-6, 1.0
"""The rates of the first and of the last step."""

_EPOCHS = 100_000  # more than the range test needs; its own number of steps ends it


def find_rate(cli: ZooCLI, weights: InitialWeights | None = None) -> float:
    """Train some steps with a rising learning rate, and return the rate where the loss falls fastest.

    Nothing of these steps is kept: no run folder, no checkpoint, and no weight.

    Args:
        cli: The parsed command.
        weights: Weights to start from.

    Returns:
        The rate, with two digits.

    Raises:
        RunError: The loss falls at no rate, or the model has no argument `lr`.
    """
    with tempfile.TemporaryDirectory() as scratch:
        cli.build(
            callbacks=[],
            logger=[],
            default_root_dir=scratch,
            max_epochs=_EPOCHS,
            limit_val_batches=0,
            num_sanity_val_steps=0,
            enable_checkpointing=False,
        )
        if not hasattr(cli.model, "lr"):
            raise RunError(f"{type(cli.model).__name__} has no argument `lr`.", "Leave out --find-lr.")
        if weights:
            load_weights(cli.model, weights)
        tuner = Tuner(cli.trainer)
        try:
            found = tuner.lr_find(
                cli.model,
                datamodule=cli.datamodule,
                min_lr=LOWEST,
                max_lr=HIGHEST,
                num_training=STEPS,
                update_attr=False,
            )
        except RunError:  # the loss is not finite at a high rate, which ends the test
            seen: Any = cli.trainer.callbacks[0]  # type: ignore[attr-defined]  # that of the range test
            return suggest({"lr": seen.lrs[: len(seen.losses)], "loss": seen.losses})
    return suggest(found.results if found else {"lr": [], "loss": []})


def suggest(results: dict[str, list[float]]) -> float:
    """Return the rate where the loss falls fastest.

    Args:
        results: `lr` and `loss` of each step.

    Raises:
        RunError: It falls nowhere.

    Example:
        >>> rates = [10 ** (step / 10 - 6) for step in range(60)]
        >>> losses = [1 - 1 / (1 + (3e-3 / rate) ** 2) + max(rate - 0.1, 0) for rate in rates]
        >>> suggest({"lr": rates, "loss": losses})
        0.0016
    """
    finder = _LRFinder("exponential", LOWEST, HIGHEST, STEPS)
    finder.results = results
    falls = len(results["loss"]) > 12 and min(results["loss"][10:-1]) < results["loss"][10]
    rate = finder.suggestion() if falls else None
    if rate is None or not math.isfinite(rate):
        raise RunError("--find-lr: the loss falls at no learning rate.", "Give --model.lr, such as that of the card.")
    return float(f"{rate:.1e}")
