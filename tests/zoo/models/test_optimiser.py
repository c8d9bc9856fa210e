"""The step of the optimiser."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from zoo import make_facts
from zoo.models.unet import UNet


def trainer_of(device: str, precision: str) -> Any:
    strategy = SimpleNamespace(root_device=torch.device(device))
    return SimpleNamespace(strategy=strategy, precision=precision, estimated_stepping_batches=10)


@pytest.mark.parametrize(
    ("device", "precision", "fused"),
    [
        ("cpu", "32-true", True),
        ("cpu", "bf16-mixed", True),
        ("cuda", "bf16-mixed", True),
        ("cuda", "16-mixed", False),
        ("mps", "32-true", False),
    ],
)
def test_one_kernel_updates_all_parameters_except_under_a_scaler(device: str, precision: str, fused: bool) -> None:
    model = UNet(make_facts(["lesion"], patch=[16, 16]), channels=[4] * 6)
    model._trainer = trainer_of(device, precision)
    optimiser: Any = model.configure_optimizers()
    assert optimiser["optimizer"].defaults["fused"] is fused
