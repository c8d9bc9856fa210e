"""The CLIP-driven universal model against its release: the head's logits on equal weights and inputs, and its size."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tests.helpers.formula_weights import fill, formula
from zoo import make_facts
from zoo.models import ClipUniversal
from zoo.types import ClassPrompt, Text

ORGANS = ["liver", "spleen", "colon"]


class Maps(nn.Module):
    """A vision encoder that returns fixed maps."""

    stride = 1

    def forward(self, image: Tensor) -> list[Tensor]:
        """Return the last feature map and the deepest map."""
        return [formula("last", 2, 64, 4, 4, 4), formula("deepest", 2, 512, 2, 2, 2)]


class Finest(nn.Module):
    """A decoder that returns the finest map."""

    def forward(self, maps: list[Tensor]) -> Tensor:
        """Return the first map."""
        return maps[0]


def test_the_logits_of_the_head_are_those_of_the_release(monkeypatch: pytest.MonkeyPatch) -> None:
    """The release with its U-Net, whose last map has 64 and whose deepest map has 512 channels, and three classes."""
    options: dict[str, Any] = {"encoder": "tiny", "freeze_text": True, "channels": [8, 512, 64]}
    model = ClipUniversal(make_facts(ORGANS, patch=[4, 4, 4]), **options)
    model.background = None  # the release has none
    fill(model)
    pooled = formula("text", 3, model.text.width).expand(2, -1, -1)
    monkeypatch.setattr("zoo.models.clip_universal.read_prompts", lambda *_: pooled)
    model.vision, model.decoder = Maps(), Finest()  # type: ignore[assignment]
    with torch.no_grad():
        logits = model(torch.zeros(2, 1, 4, 4, 4), Text(model.facts.prompts))
    expected = [
        *(-0.8844237, -0.1599254, -0.3391215, -0.0203529, 0.1093262, 0.2395108),
        *(-0.9325170, -0.1258424, -0.0280457, 0.4935980, 0.6299217),
    ]
    torch.testing.assert_close(logits.flatten()[::37], torch.tensor(expected), atol=1e-5, rtol=0)


def test_the_head_has_the_parameters_of_the_release() -> None:
    with torch.device("meta"):
        facts = make_facts(["lesion"], patch=[8, 8, 8])
        model = ClipUniversal(facts, encoder="tiny", freeze_text=True, channels=[8, 768, 48])
    parts = (model.head, model.context, model.controller)
    assert [sum(one.numel() for one in part.parameters()) for part in parts] == [488, 198_400, 78_489]
    assert sum(one.numel() for one in model.classes.parameters()) == 256 * (model.text.width + 1)


def test_a_random_embedding_reads_no_text_and_tells_classes_apart() -> None:
    options: dict[str, Any] = {"encoder": "tiny", "channels": [8, 8, 8], "embedding": "random"}
    model = ClipUniversal(make_facts(ORGANS, patch=[16, 16]), **options).eval()
    assert not [name for name, _ in model.named_parameters() if name.startswith("text.")]
    image = torch.randn(1, 1, 16, 16)
    others = Text(tuple(ClassPrompt(name, "Another sentence.", ()) for name in ORGANS))
    with torch.no_grad():
        logits = model(image, Text(model.facts.prompts))
        assert logits.equal(model(image, others))
    assert not torch.allclose(logits[:, -1], logits[:, -2])
