"""Comparison of the weights of two runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch


def weights(out: Path, name: str = "last") -> dict[str, Any]:
    """Return the state of a run's checkpoint; a checkpoint that holds code does not load."""
    path = out / "checkpoints" / f"{name}.ckpt"
    state: dict[str, Any] = torch.load(path, weights_only=True)["state_dict"]
    return state


def same_weights(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Return whether two states are equal bit for bit."""
    return one.keys() == other.keys() and all(
        a.equal(other[key]) if isinstance(a, torch.Tensor) else a == other[key] for key, a in one.items()
    )
