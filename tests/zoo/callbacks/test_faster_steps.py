"""A training step with a compiled network and channels last computes what it computes without them."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from lightning.pytorch import LightningModule, Trainer

from datamodules.sets import PhantomChest
from tests.helpers.stub_commands import resolved
from zoo.callbacks import FasterSteps
from zoo.config import config_hash
from zoo.errors import ConfigError
from zoo.models import Output, UNet
from zoo.models.optimiser import OptimiserOptions
from zoo.types import Text


def trained(callbacks: list[Any]) -> UNet:
    """A U-Net after two steps; without a validation."""
    torch.manual_seed(0)
    data = PhantomChest(
        pixels=32, patch=[32, 32], counts=[4, 1, 1], batch_size=2, epoch_samples=4, num_workers=0, augment="none"
    )
    plain = OptimiserOptions("sgd")  # AdamW divides by the size of a gradient, and makes roundings large
    model = UNet(data.facts, channels=[4, 4, 4], stages=2, optimiser=plain)
    quiet: dict[str, Any] = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    quiet |= {"enable_model_summary": False, "num_sanity_val_steps": 0, "limit_val_batches": 0}
    Trainer(accelerator="cpu", devices=1, max_epochs=1, callbacks=callbacks, **quiet).fit(model, datamodule=data)
    return model


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "options", [{"channels_last": True}, pytest.param({"compile": True}, marks=pytest.mark.slow)], ids=str
)
def test_the_trained_weights_are_the_same_but_for_rounding(
    options: dict[str, bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = trained([])
    seen: list[torch.Tensor] = []
    forward = UNet.forward_features

    def spy(model: UNet, image: torch.Tensor, text: Text) -> Output:
        if "channels_last" in options:  # a compiled network is traced without a spy
            seen.append(image)
        return forward(model, image, text)

    monkeypatch.setattr(UNet, "forward_features", spy)
    torch._dynamo.reset()
    faster = trained([FasterSteps(**options)])
    for one, other in zip(plain.parameters(), faster.parameters(), strict=True):
        torch.testing.assert_close(one.detach(), other.detach().contiguous(), atol=1e-6, rtol=1e-4)
    if "channels_last" in options:
        assert all(image.is_contiguous(memory_format=torch.channels_last) for image in seen)
        kernels = [weight for weight in faster.parameters() if weight.ndim == 4 and min(weight.shape[1:]) > 1]
        assert kernels
        assert all(weight.is_contiguous(memory_format=torch.channels_last) for weight in kernels)
    assert faster.training_features is None, "a copy of the model shares no compiled network"


def test_a_compiled_network_takes_the_place_of_the_network_in_a_training_step(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []

    def counted(network: Any) -> Any:
        def run(*given: Any) -> Any:
            calls.append(1)
            return network(*given)

        return run

    monkeypatch.setattr(torch, "compile", counted)
    trained([FasterSteps(compile=True)])
    assert len(calls) == 2, "one per step"


def test_a_callback_that_changes_nothing_and_a_foreign_model_are_refused() -> None:
    with pytest.raises(ConfigError, match="changes nothing"):
        FasterSteps()
    with pytest.raises(ConfigError, match="LightningModule is no SegModule"):
        FasterSteps(compile=True).on_fit_start(Trainer.__new__(Trainer), LightningModule())


def test_the_options_are_part_of_the_identity_of_a_run(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["fit", "--model", "unet", "--data", "phantom_chest", "--size", "tiny"]
    gpu, fast = (resolved([*words, "--trainer", preset], capsys) for preset in ("gpu", "gpu_fast"))
    assert config_hash(gpu) != config_hash(fast)
    assert fast["trainer"]["callbacks"][0]["init_args"] == {"compile": True, "channels_last": True}
