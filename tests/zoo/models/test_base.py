"""The contract of `SegModule`: the names of its methods and the type `Output`."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import pytest
import torch

from zoo.errors import ConfigError
from zoo.models.base import Output, SegModule


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
