"""Every vision-only model with a text loss: the text changes its training, and not its logits."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from tests.helpers.model_cases import ModelCase, model_cases, network
from zoo.models.base import SegModule
from zoo.models.vision_only import VisionOnly
from zoo.types import Batch, ClassPrompt, Text

# one 3D step is enough
CASES = [
    pytest.param(case, id=str(case))
    for case in model_cases()
    if case.vision_only and case.card.origin == "zoo" and (case.dims == 2 or case.model == "unet")
]


def batch_of(module: SegModule) -> Batch:
    """Return two samples, the second without an object."""
    size = module.facts.patch
    label = torch.zeros(2, 1, *size, dtype=torch.uint8)
    label[0, 0][(slice(0, size[0] // 2),) * len(size)] = 1
    return {
        "image": torch.randn(2, module.facts.in_channels, *size),
        "label": label,
        "case_id": ["a", "b"],
        "spacing": torch.ones(2, len(size)),
        "classes": module.facts.prompts,
    }


def terms_of(module: SegModule, batch: Batch) -> dict[str, torch.Tensor]:
    """Return the terms of a training step."""
    return module.compute_losses(batch, module.forward_features(batch["image"], Text(batch["classes"])))


@pytest.mark.parametrize("case", CASES)
def test_a_text_loss_trains_the_network_and_leaves_its_logits_without_text(case: ModelCase) -> None:
    torch.manual_seed(0)
    small = network(case)
    options: dict[str, Any] = {**small.smallest, "text_loss": "lg_sdg:tiny"}
    module = small.build(options).train()
    assert isinstance(module, VisionOnly)
    batch = batch_of(module)
    terms = terms_of(module, batch)
    terms["lg_sdg"].backward()
    reached = [name for name, weight in module.named_parameters() if weight.grad is not None and weight.grad.any()]
    assert {name.split(".")[0] for name in reached} > {"alignment"}, "the projection, and what makes the deepest map"
    module.zero_grad()
    module.total_loss(terms_of(module, batch)).backward()
    assert [name for name, weight in module.named_parameters() if weight.grad is None] == []
    with torch.no_grad():
        other: Batch = {**batch, "classes": tuple(ClassPrompt(one.name, "Other.", ("x",)) for one in batch["classes"])}
        module.eval()
        logits = [module(batch["image"], Text(some["classes"])) for some in (batch, other)]
        assert logits[0].equal(logits[1])
        assert "lg_sdg" not in terms_of(module, batch), "no term without training"
        plain = small.build({**options, "text_loss": None})
        plain.load_state_dict({k: v for k, v in module.state_dict().items() if not k.startswith("alignment.")})
        assert plain.eval()(batch["image"], Text(batch["classes"])).equal(logits[0])
