"""From a batch to masks: whichever way is taken, the masks are those of `predict_logits`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from zoo import make_facts
from zoo.models.base import SegModule
from zoo.models.output import Output
from zoo.preprocessing.undo import native_mask
from zoo.types import Batch, Geometry, Native, Text


class OneConvolution(SegModule):
    """One convolution."""

    def __init__(self, facts: Mapping[str, Any], **kwargs: Any) -> None:
        super().__init__(facts, **kwargs)
        self.net = nn.Conv3d(1, self.facts.labels.channels, 3, padding=1)

    def forward_features(self, image: Tensor, text: Text) -> Output:
        """Compute logits."""
        return Output(self.net(image))


class OwnLogits(OneConvolution):
    """A model that computes the logits of whole images in its own way."""

    def predict_logits(self, batch: Batch) -> Tensor:
        """Return logits above 0 everywhere."""
        return torch.ones_like(batch["image"])


def batch_of(shape: tuple[int, int, int], native: tuple[int, int, int], model: SegModule) -> Batch:
    """Make a batch of two volumes of noise."""
    geometry = Geometry(None, native, tuple((0, n) for n in native), (1.0,) * 3, "mm")
    return {
        "image": torch.randn(2, 1, *shape, generator=torch.Generator().manual_seed(0)),
        "case_id": ["a", "b"],
        "spacing": torch.ones(2, 3),
        "classes": model.facts.prompts,
        "native": [Native(geometry, None)] * 2,
    }


@pytest.mark.parametrize("options", [{}, {"max_windows": 2}, {"windows": {"batch": 2}}, {"use_text": False}])
def test_masks_are_those_of_the_logits_of_whole_volumes(options: dict[str, Any]) -> None:
    torch.manual_seed(0)
    model = OneConvolution(make_facts(["a"], patch=[8, 8, 8]), **options).eval()
    batch = batch_of((21, 12, 9), (40, 20, 18), model)
    predictions = model.predict_step(batch, 0)
    assert [prediction.case_id for prediction in predictions] == ["a", "b"]
    for prediction, logits, native in zip(predictions, model.predict_logits(batch), batch["native"], strict=True):
        assert np.array_equal(prediction.mask, native_mask(logits, native.geometry, model.facts.labels))


def test_a_model_that_computes_logits_in_its_own_way_gets_the_masks_of_these() -> None:
    model = OwnLogits(make_facts(["a"], patch=[8, 8, 8])).eval()
    assert all(prediction.mask.all() for prediction in model.predict_step(batch_of((21, 12, 9), (5, 5, 5), model), 0))
