"""The optimiser and the schedule of its rate."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from lightning.pytorch import Trainer

from datamodules.sets import PhantomChest
from zoo import make_facts
from zoo.errors import ConfigError
from zoo.models.optimiser import OptimiserOptions, rate_over_steps
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


def test_sgd_has_nesterov_momentum_and_the_decay_of_the_model() -> None:
    options = OptimiserOptions(name="sgd", momentum=0.9, schedule="poly")
    model = UNet(
        make_facts(["lesion"], patch=[16, 16]), channels=[4] * 6, weight_decay=3e-5, lr=0.01, optimiser=options
    )
    model._trainer = trainer_of("cpu", "32-true", None)
    found: Any = model.configure_optimizers()
    assert isinstance(found["optimizer"], torch.optim.SGD)
    group = found["optimizer"].param_groups[0]
    assert (group["initial_lr"], group["momentum"], group["nesterov"], group["weight_decay"]) == (0.01, 0.9, True, 3e-5)
    restored = UNet(**model.hparams)
    assert restored.optimiser == options


def test_the_polynomial_is_the_one_of_nnunet_per_step() -> None:
    factor = rate_over_steps(1001, 0.0, OptimiserOptions(schedule="poly"))
    assert [factor(step) for step in (0, 1, 251, 1001, 2000)] == pytest.approx([1, 1, 0.75**0.9, 0, 0])


@pytest.mark.parametrize("wrong", [{"name": "adam"}, {"schedule": "linear"}, {"momentum": 1.0}, {"power": 0.0}])
def test_a_wrong_optimiser_is_refused_with_its_option(wrong: dict[str, Any]) -> None:
    (key,) = wrong
    with pytest.raises(ConfigError, match=rf"--model\.optimiser\.{key}"):
        OptimiserOptions(**wrong)
