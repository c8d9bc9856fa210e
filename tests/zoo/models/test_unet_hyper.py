"""The control with generated kernels: its ablation."""

from __future__ import annotations

import torch

from zoo import make_facts
from zoo.models.unet_hyper import UNetHyper
from zoo.types import ClassPrompt, Text

SMALL = (4, 4, 4, 4, 4, 4)


def test_a_code_of_one_hot_reads_no_text_and_tells_classes_apart() -> None:
    facts = make_facts(["liver", "spleen"], patch=[32, 32])
    model = UNetHyper(facts, encoder="tiny", code="one_hot", channels=SMALL).eval()
    assert not [name for name, _ in model.named_parameters() if name.startswith("text.")]
    image = torch.randn(1, 1, 32, 32)
    others = Text(tuple(ClassPrompt(name, "Another sentence.", ()) for name in ("liver", "spleen")))
    with torch.no_grad():
        logits = model(image, Text(model.facts.prompts))
        assert logits.equal(model(image, others))
    assert not torch.allclose(logits[:, -1], logits[:, -2])
