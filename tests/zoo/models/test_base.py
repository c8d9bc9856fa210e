"""The contract of `SegModule`: the names of its methods and the type `Output`."""

from __future__ import annotations

import math
from dataclasses import FrozenInstanceError

import pytest
import torch

from zoo.data_facts import DataFacts
from zoo.errors import ConfigError, RunError
from zoo.models.base import SegModule
from zoo.models.output import Output
from zoo.models.unet import UNet
from zoo.types import Batch, ClassPrompt, LabelSpace


@pytest.mark.parametrize(
    ("old", "new"),
    [("encode", "forward_features"), ("training_losses", "compute_losses"), ("combine", "total_loss")],
)
def test_old_method_name_fails_with_the_new_name(old: str, new: str) -> None:
    with pytest.raises(ConfigError) as caught:
        type("MyNet", (SegModule,), {old: lambda self: None})
    text = str(caught.value)
    assert "MyNet" in text
    assert f"`{old}` to `{new}`" in text
    assert "\n" not in text


def test_output_is_frozen_and_needs_only_logits() -> None:
    output = Output(torch.zeros(1, 2, 4, 4))
    assert dict(output.extra) == {}
    with pytest.raises(FrozenInstanceError):
        output.logits = torch.ones(1)  # type: ignore[misc]  # the assignment must fail


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_loss_that_is_not_finite_ends_the_training_with_its_term_and_cases(
    value: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    prompts = (ClassPrompt("lesion", "A lesion."),)
    facts = DataFacts("made_up", 2, 1, (16, 16), LabelSpace(("lesion",), ((1,),), exclusive=False), prompts, "class")
    model = UNet(facts.to_dict(), channels=[4] * 6)
    monkeypatch.setattr(model, "compute_losses", lambda batch, output: {"dice": torch.tensor(value)})
    batch: Batch = {
        "image": torch.zeros(1, 1, 16, 16),
        "case_id": ["case7"],
        "spacing": torch.ones(1, 2),
        "classes": prompts,
    }
    with pytest.raises(RunError, match=rf"not finite at step 0 \(dice {value:.4g}\), cases case7"):
        model.training_step(batch, 0)
