"""A value that is not finite ends a training or a test with its place, and the last good checkpoint is kept."""

from __future__ import annotations

import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from lightning.pytorch import Trainer
from torch import Tensor, nn
from torch.utils.data import DataLoader

from zoo import make_facts
from zoo.callbacks.checkpoints import checkpoints, load
from zoo.errors import CheckpointError, RunError
from zoo.models.finite_values import FiniteModule, FiniteValues, check_logits, check_loss, check_weights
from zoo.models.unet import UNet
from zoo.types import Geometry, Native

STEPS = 3  # per epoch


class Net(FiniteModule):
    """A network of two layers; at one step its gradients or its outputs get a value.

    Args:
        at: Number of the step.
        value: The value.
        gradient: Whether the gradient of `second` gets the value, and not its output.
    """

    def __init__(self, at: int = -1, value: float = 0.0, gradient: bool = True) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(2, 2), nn.Linear(2, 1)
        self.at, self.value, self.gradient = at, value, gradient

    def forward(self, batch: Tensor) -> Tensor:
        found: Tensor = self.second(self.first(batch))
        return found

    def training_step(self, batch: Tensor, batch_idx: int) -> Tensor:
        if self.global_step == self.at and not self.gradient:
            self.first.register_forward_hook(lambda *_: torch.full((1, 2), self.value))
        total: Tensor = self(batch).square().mean()
        check_loss(self, total, {"dice": total}, ["case7"], lambda: self(batch))
        if self.global_step == self.at and self.gradient:
            self.second.weight.register_hook(lambda gradient: torch.full_like(gradient, self.value))
        return total

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=0.1)


def fit(net: Net, folder: Path, epochs: int = 3) -> None:
    quiet: dict[str, Any] = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False}
    trainer = Trainer(max_epochs=epochs, accelerator="cpu", callbacks=[*checkpoints(folder)], **quiet)
    data: Any = list(torch.ones(STEPS, 2))
    trainer.fit(net, DataLoader(data, batch_size=1))


def test_finite_values_change_no_training(tmp_path: Path) -> None:
    fit(Net(), tmp_path)
    assert load(tmp_path / "last.ckpt")["global_step"] == 3 * STEPS


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan])
@pytest.mark.parametrize("step", [STEPS + 1, 2 * STEPS - 1])
def test_a_gradient_that_is_not_finite_ends_the_training_and_keeps_the_last_good_state(
    step: int, value: float, tmp_path: Path
) -> None:
    """The step is within the second epoch or its last one, after which its weights would be saved."""
    with pytest.raises(RunError, match=rf"gradient of second\.weight is not finite at step {step}, epoch 1"):
        fit(Net(step, value), tmp_path)
    content = load(tmp_path / "last.ckpt")
    assert content["global_step"] == STEPS
    assert all(bool(tensor.isfinite().all()) for tensor in content["state_dict"].values())


def test_a_gradient_of_the_last_step_of_all_is_found(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="step 2, epoch 0"):
        fit(Net(STEPS - 1, math.inf), tmp_path, epochs=1)
    assert not (tmp_path / "last.ckpt").exists()


def test_a_loss_names_the_epoch_the_step_the_case_and_the_first_module(tmp_path: Path) -> None:
    says = r"loss is not finite at step 4 \(dice nan\), cases case7, epoch 1; the first value .* is in first\."
    with pytest.raises(RunError, match=says):
        fit(Net(STEPS + 1, math.nan, gradient=False), tmp_path)
    assert load(tmp_path / "last.ckpt")["global_step"] == STEPS


def test_a_weight_that_is_not_finite_is_named_before_a_module(tmp_path: Path) -> None:
    net = Net()
    net.first.bias.data[0] = math.nan
    with pytest.raises(RunError, match=r"epoch 0; the first value that is not finite is in first\.bias"):
        fit(net, tmp_path)


def test_a_gradient_scaler_may_leave_out_steps_but_not_all() -> None:
    """With 16-mixed, gradients that overflow are normal: the scale is halved and the step is left out."""

    class Scaler:
        scale = 2.0**16

        def is_enabled(self) -> bool:
            return True

        def get_scale(self) -> float:
            return self.scale

    scaler, net, check = Scaler(), Net(), FiniteValues()
    trainer: Any = SimpleNamespace(
        precision_plugin=SimpleNamespace(scaler=scaler), precision="16-mixed", current_epoch=3, global_step=1
    )
    net.second.weight.grad = torch.full((1, 2), math.inf)
    check.on_before_optimizer_step(trainer, net, torch.optim.SGD(net.parameters(), lr=0.1))
    check.on_train_epoch_end(trainer, net)
    scaler.scale = 2.0**-21
    with pytest.raises(RunError, match=r"Epoch 3: no step has finite gradients any more .*bf16-mixed"):
        check.on_train_epoch_end(trainer, net)


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan])
def test_logits_that_are_not_finite_name_the_case(value: float) -> None:
    logits = torch.zeros(2, 3, 4, 4)
    assert check_logits(Net(), logits, ["a", "b"], []) is logits
    logits[1, 2, 3, 3] = value
    with pytest.raises(RunError, match=r"Case 'b': the logits of the model are not finite\. Use `--trainer.precision"):
        check_logits(Net(), logits, ["a", "b"], [])
    with pytest.raises(RunError, match="Case 'b', query 'left': the logits"):
        check_logits(Net(), logits, ["a", "b"], ["right", "left"])


def test_validation_test_and_prediction_check_the_logits(monkeypatch: pytest.MonkeyPatch) -> None:
    model = UNet(make_facts(["lesion"], patch=[16, 16]), channels=[4] * 6)
    monkeypatch.setattr(model, "predict_logits", lambda batch: torch.full((1, 1, 16, 16), math.nan))
    batch: Any = {"image": torch.zeros(1, 1, 16, 16), "label": torch.zeros(1, 1, 16, 16), "case_id": ["case7"]}
    for step in (model.validation_step, model.test_step, model.predict_step):
        with pytest.raises(RunError, match="Case 'case7': the logits of the model are not finite"):
            step(batch, 0)


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan])
def test_weights_that_are_not_finite_are_not_loaded(value: float, tmp_path: Path) -> None:
    model = UNet(make_facts(["lesion"], patch=[16, 16]), channels=[4] * 6)
    state = model.state_dict()
    name = next(name for name, tensor in state.items() if tensor.is_floating_point() and tensor.numel() > 1)
    state[name].view(-1)[1] = value
    content = {"state_dict": state, "hyper_parameters": dict(model.hparams), "pytorch-lightning_version": "2.6.4"}
    torch.save(content, tmp_path / "best.ckpt")
    for read in (load, lambda path: UNet.load_from_checkpoint(path, weights_only=True)):
        with pytest.raises(CheckpointError, match=rf"{name} holds values that are not finite"):
            read(tmp_path / "best.ckpt")


def test_minus_infinity_is_allowed_in_a_mask_alone() -> None:
    mask = torch.zeros(3, 3).masked_fill(torch.ones(3, 3).triu(1).bool(), -math.inf)
    check_weights({"mask": mask, "steps": torch.tensor(3), "none": torch.zeros(0), "half": torch.ones(2).half()}, "f")
    with pytest.raises(CheckpointError, match="f: mask holds"):
        check_weights({"mask": mask - 1}, "f")


def test_a_volume_of_several_windows_whose_logits_are_not_finite_names_the_case() -> None:
    model = UNet(make_facts(["lesion"], patch=[16] * 3), channels=[4] * 6).eval()
    torch.nn.init.constant_(next(model.parameters()), math.nan)
    geometry = Geometry(None, (20, 16, 16), ((0, 20), (0, 16), (0, 16)), (1.0,) * 3, "mm")
    batch: Any = {"image": torch.zeros(1, 1, 20, 16, 16), "case_id": ["case7"], "classes": model.facts.prompts}
    batch["native"] = [Native(geometry, None)]
    with pytest.raises(RunError, match="Case 'case7': the logits of the model are not finite"):
        model.predict_step(batch, 0)
