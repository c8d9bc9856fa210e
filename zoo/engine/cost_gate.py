"""Before a training without a GPU: says what it needs, estimates its hours, and asks for `--yes` above a day."""

from __future__ import annotations

import logging
import os
import subprocess
from collections.abc import Mapping, Sequence
from typing import Any

from lightning.pytorch.accelerators import AcceleratorRegistry

from zoo.config import Composed
from zoo.engine.cost_estimate import (
    DAY,
    FEW_STEPS,
    PROBE_LIMIT,
    Needs,
    find_needs,
    format_hours,
    is_published,
    measure_steps,
    total_seconds,
)
from zoo.errors import RunError
from zoo.settings import assume_yes
from zoo.utils.activity import set_activity
from zoo.utils.format import format_bytes, format_quantity

log = logging.getLogger(__name__)

PROBE_SECONDS = 60.0
"""Seconds of measured training; a step that takes longer is known to take at least as long."""


def check_costs(composed: Composed, config: Mapping[str, Any], words: Sequence[str], yes: bool = False) -> None:
    """Say what a training of a published size, or on several devices, needs on a machine without a GPU.

    Args:
        composed: The merged layers.
        config: The resolved configuration.
        words: The words of the command without the verb, for the probe.
        yes: Whether the user has agreed to a training of more than a day.

    Raises:
        RunError: The training would take more than a day, and the user has not agreed.
    """
    if not is_large(composed) or "LOCAL_RANK" in os.environ or has_device(config):
        return
    needs, what = find_needs(composed, config), f"{composed.model} ({composed.size}) on {composed.data} without a GPU"
    log.info("%s: %s", what, describe(needs))
    if yes or assume_yes() or (needs.steps is not None and needs.steps <= FEW_STEPS):
        return
    log.info("Some steps are measured, at most %.0f s of them; --yes starts at once.", PROBE_SECONDS)
    set_activity("measuring some training steps")
    try:
        measured = measure_steps(words, PROBE_LIMIT, PROBE_SECONDS)
    except subprocess.TimeoutExpired:
        measured = {"note": f"no probe: not done in {PROBE_LIMIT:.0f} s"}
    if "note" in measured:
        log.info("%s", measured["note"])
    refuse_days(what, total_seconds(needs.steps, measured), measured)


def refuse_days(what: str, seconds: float | None, measured: Mapping[str, Any]) -> None:
    """Log the estimate, and refuse a training of more than a day.

    Raises:
        RunError: It takes more than a day.
    """
    if seconds is None:
        return
    least = "at least " if measured.get("at_least") else ""
    found = f"a step takes {least}{measured['step_seconds']:.1f} s, the training {least}{format_hours(seconds)}"
    log.info("%s, peak memory %s, without validation and test", found, format_bytes(measured.get("peak_bytes")))
    if seconds > DAY:
        raise RunError(
            f"{what}: {found}.",
            "Add --yes to start it anyway, or use a GPU (--trainer gpu), --size tiny, or fewer --trainer.max_epochs.",
        )


def describe(needs: Needs) -> str:
    """Describe the needs in one line."""
    steps = "an unknown number of steps" if needs.steps is None else format_quantity(needs.steps, "step")
    parts = [steps]
    if needs.memory is not None:
        parts.append(f"{format_bytes(needs.memory)} of memory for weights, gradients and optimiser, plus activations")
    parts += [f"downloads {files.describe()}" for files in needs.downloads]
    return ", ".join(parts)


def is_large(composed: Composed) -> bool:
    """Whether a training is of a published size, as a card defines it, or meant for several devices."""
    return composed.preset == "ddp" or is_published(composed.model, composed.size)


def has_device(config: Mapping[str, Any]) -> bool:
    """Whether the training runs on a GPU or another accelerator of this machine."""
    wanted = (config.get("trainer") or {}).get("accelerator") or "auto"
    if wanted == "cpu":
        return False
    others = [name for name in AcceleratorRegistry.available_accelerators() if name != "cpu"]
    return wanted != "auto" or any(AcceleratorRegistry[name]["accelerator"].is_available() for name in others)
