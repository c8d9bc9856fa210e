"""The step of the optimiser."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from lightning.pytorch import Trainer

from datamodules.sets import PhantomChest
from zoo import make_facts
from zoo.models.unet import UNet


def trainer_of(device: str, precision: str, clip: float | None) -> Any:
    strategy = SimpleNamespace(root_device=torch.device(device))
    return SimpleNamespace(
        strategy=strategy, precision=precision, gradient_clip_val=clip, estimated_stepping_batches=10
    )


@pytest.mark.parametrize(
    ("device", "precision", "clip", "fused"),
    [
        ("cpu", "32-true", None, True),
        ("cpu", "32-true", 1.0, True),
        ("cpu", "bf16-mixed", None, True),
        ("cuda", "bf16-mixed", None, True),
        ("cuda", "bf16-mixed", 1.0, False),
        ("cuda", "16-mixed", None, False),
        ("mps", "32-true", None, False),
    ],
)
def test_one_kernel_updates_all_parameters_where_lightning_allows_it(
    device: str, precision: str, clip: float | None, fused: bool
) -> None:
    model = UNet(make_facts(["lesion"], patch=[16, 16]), channels=[4] * 6)
    model._trainer = trainer_of(device, precision, clip)
    optimiser: Any = model.configure_optimizers()
    assert optimiser["optimizer"].defaults["fused"] is fused


def test_a_step_in_mixed_precision_may_clip_its_gradients() -> None:
    data = PhantomChest(pixels=16, patch=[16, 16], counts=[2, 1, 1], batch_size=2, epoch_samples=2, augment="none")
    trainer = Trainer(
        accelerator="cpu",
        precision="bf16-mixed",
        gradient_clip_val=1e-3,
        max_epochs=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
    )
    model = UNet(data.facts, channels=[4] * 6)
    trainer.fit(model, data)
    assert trainer.global_step == 1
