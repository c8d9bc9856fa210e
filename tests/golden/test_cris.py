"""CRIS against its release: the logits of neck, decoder and head on equal weights, maps and words."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from tests.helpers.formula_weights import fill, formula
from zoo import make_facts
from zoo.encoders.text_backbone import TextTokens
from zoo.models import CRIS, CRISReleased
from zoo.types import Text

SMALL: dict[str, Any] = {"encoder": "tiny", "vision": "conv", "width": 8, "query_width": 64, "hidden": 128}
MAPS = ((16, 16), (32, 8), (64, 4))


def test_the_logits_are_those_of_the_release(monkeypatch: pytest.MonkeyPatch) -> None:
    """The release with 64 instead of 512 channels, without its CLIP. It gives logits at half the resolution here."""
    facts = make_facts(["lesion"], patch=[64, 64])
    model = CRIS(facts, stages=3, **SMALL, released=CRISReleased(batch_sentence=True, coarse=True)).eval()
    fill(model)
    maps = [formula(f"map{i}", 2, width, side, side) for i, (width, side) in enumerate(MAPS)]
    mask = torch.arange(7) < torch.tensor([[7], [4]])
    read = TextTokens(formula("words", 2, 7, 64), mask, formula("sentence", 2, 64))
    monkeypatch.setattr("zoo.models.cris.read_prompt_tokens", lambda *_: read)
    monkeypatch.setattr(model.vision, "forward", lambda image: maps)
    with torch.no_grad():
        logits = model(torch.zeros(2, 1, 64, 64), Text(model.facts.prompts)).flatten()[::1037]
    expected = [0.280336, -2.9157403, -3.5013471, -3.3734093, -5.9352646, -1.2599698, -2.1109576, -2.4931874]
    torch.testing.assert_close(logits, torch.tensor(expected), atol=1e-5, rtol=3e-6)


def test_the_mask_of_a_class_does_not_depend_on_the_other_classes() -> None:
    torch.manual_seed(0)
    model = CRIS(make_facts(["liver", "spleen"], patch=[32, 32]), stages=2, **SMALL).eval()
    image, (liver, spleen) = torch.randn(1, 1, 32, 32), model.facts.prompts
    with torch.no_grad():
        both, swapped = (model(image, Text(prompts)) for prompts in ((liver, spleen), (spleen, liver)))
    torch.testing.assert_close(both, swapped[:, [0, 2, 1]], atol=1e-5, rtol=1e-4)
    assert not both[:, 0].any(), "the background"
    assert bool((both[:, 1] - both[:, 2]).abs().max() > 1e-4)
