"""LViT against its release: the parameters that the release uses, and its logits on equal weights and inputs."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from tests.helpers.formula_weights import fill, formula
from tests.helpers.no_weights import no_weights
from zoo import make_facts
from zoo.encoders.text_backbone import TextTokens
from zoo.models import LViT, LViTReleased
from zoo.types import Text

RELEASED: dict[str, Any] = {"released": LViTReleased(tokens=10)}


def test_the_parameters_are_those_that_the_forward_pass_of_the_release_uses() -> None:
    """The release holds 39,933,345, of which 10,025,312 reach no logit."""
    with no_weights():
        model = LViT(make_facts(["lesion"], patch=[224, 224], in_channels=3), **RELEASED)
    assert sum(weight.numel() for weight in model.parameters()) == 29_908_033


def test_the_logits_are_those_of_the_release(monkeypatch: pytest.MonkeyPatch) -> None:
    """The release with 8 instead of 64 channels, on an image of 48 x 48, whose 9 tokens per level replace the 196."""
    facts = make_facts(["lesion"], patch=[48, 48], in_channels=3)
    model = LViT(facts, encoder="tiny", width=8, places=3, **RELEASED).eval()
    fill(model)
    tokens = formula("text", 2, 10, model.text.width)
    read = TextTokens(tokens, torch.ones(2, 10, dtype=torch.bool), tokens[:, 0])
    monkeypatch.setattr("zoo.models.lvit.model.read_reports", lambda *_: read)
    with torch.no_grad():
        logits = model(formula("image", 2, 3, 48, 48), Text(model.facts.prompts))
    expected = [-0.4607188, -0.4670348, -0.6185305, -0.4395143, -0.4848237, -0.7271322, -0.6630863, -0.7361424]
    torch.testing.assert_close(logits.flatten()[::577], torch.tensor(expected), atol=1e-5, rtol=0)


@pytest.mark.parametrize("tokens", [None, 10])
def test_words_after_the_tenth_token_are_read_except_as_released(tokens: int | None) -> None:
    options: dict[str, Any] = {"width": 8, "stages": 2, "token_stride": 8, "released": LViTReleased(tokens=tokens)}
    model = LViT(make_facts(["lesion"], patch=[32, 32]), encoder="tiny", freeze_text=True, **options).eval()
    fill(model)
    start = "bilateral pulmonary infection two infected areas upper left lung and "
    image = formula("image", 1, 1, 32, 32)
    with torch.no_grad():
        upper, lower = (model(image, Text(model.facts.prompts, (start + word,))) for word in ("upper", "lower"))
    if tokens:
        # both are cut to the same tokens, of which the last one is the end token
        assert torch.equal(upper, lower)
    else:
        assert bool((upper - lower).abs().max() > 1e-6)
