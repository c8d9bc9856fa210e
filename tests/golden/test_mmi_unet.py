"""MMI-UNet against its release: its parameters, and its logits on equal weights and inputs."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from tests.helpers.formula_weights import fill, formula
from tests.helpers.no_weights import no_weights
from zoo import make_facts
from zoo.encoders.text_backbone import TextTokens
from zoo.models import MMIReleased, MMIUNet
from zoo.types import Text

UNREAD = 2 * (4 * 768**2 + 4 * 768) + 2 * 768 * 128 + 128 + 768 + 3 * 2 * 768 + 768**2 + 768
"""Parameters of the release that write the text after the last stage, where nothing reads it."""


def test_the_parameters_are_those_of_the_release_that_reach_a_logit() -> None:
    with no_weights():
        model = MMIUNet(make_facts(["lesion"], patch=[224, 224], in_channels=3))
    counts = [sum(weight.numel() for weight in bridger.parameters()) for bridger in model.bridgers]
    assert counts == [422_176, 1_285_696, 4_339_840, 15_756_544 - UNREAD]
    assert sum(weight.numel() for weight in model.parameters()) == 54_989_657 - UNREAD


def released(monkeypatch: pytest.MonkeyPatch, size: int, **switches: Any) -> torch.Tensor:
    """Return the logits of a narrow network with weights of a formula, in the released form."""
    facts = make_facts(["lesion"], patch=[size, size], in_channels=3)
    switches = {"tokens": 24, "no_places": True, "drop_border": True, **switches}
    model = MMIUNet(facts, encoder="tiny", width=8, released=MMIReleased(**switches)).eval()
    fill(model)
    tokens = formula("text", 2, 24, model.text.width)
    real = torch.arange(24) < torch.tensor([[24], [9]])
    monkeypatch.setattr("zoo.models.mmi_unet.read_reports", lambda *_: TextTokens(tokens, real, tokens[:, 0]))
    with torch.no_grad():
        logits: torch.Tensor = model(formula("image", 2, 3, size, size), Text(model.facts.prompts))
    return logits


def test_the_logits_are_those_of_the_release(monkeypatch: pytest.MonkeyPatch) -> None:
    """The release with 8 instead of 96 channels, on an image whose deepest map has three places per axis."""
    logits = released(monkeypatch, 96).flatten()[::2311]
    expected = [-0.1250032, 0.133911, 0.3196795, -0.1519967, -0.1701518, 0.1304409, 0.0795431, 0.0346717]
    torch.testing.assert_close(logits, torch.tensor(expected), atol=1e-5, rtol=0)


@pytest.mark.parametrize(("switch", "size"), [("tokens", 64), ("no_places", 64), ("drop_border", 96)])
def test_each_switch_of_the_release_changes_the_logits(monkeypatch: pytest.MonkeyPatch, switch: str, size: int) -> None:
    mended = released(monkeypatch, size, **{switch: None if switch == "tokens" else False})
    assert bool((mended - released(monkeypatch, size)).abs().max() > 1e-5)


def test_a_border_is_lost_only_where_a_map_is_odd(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.testing.assert_close(released(monkeypatch, 64, drop_border=False), released(monkeypatch, 64))
