"""DD-CMD against its release: its parameters, and its logits on equal weights and inputs."""

from __future__ import annotations

import pytest
import torch

from tests.helpers.formula_weights import fill, formula
from tests.helpers.no_weights import no_weights
from zoo import make_facts
from zoo.encoders.text_backbone import TextTokens
from zoo.models import DDCMD, GuidedReleased
from zoo.models.dd_cmd import cosine_transform
from zoo.types import Text


def test_the_parameters_are_those_of_the_release_that_reach_a_logit() -> None:
    """The release also trains the last norm of ConvNeXt (2 x 768), which no decoder reads."""
    with no_weights():
        model = DDCMD(make_facts(["lesion"], patch=[224, 224], in_channels=3))
    stages = [sum(weight.numel() for weight in stage.parameters()) for stage in model.stages]
    assert stages == [14_625_843, 3_958_470, 1_141_266]
    assert sum(weight.numel() for weight in model.parameters()) == 47_774_188 - 2 * 768


def test_the_logits_are_those_of_the_release(monkeypatch: pytest.MonkeyPatch) -> None:
    """The release with 8 instead of 96 channels, on an image of 64 x 64."""
    facts = make_facts(["lesion"], patch=[64, 64], in_channels=3)
    released = GuidedReleased(tokens=24, flat_places=True)
    model = DDCMD(facts, encoder="tiny", width=8, frequencies=2, released=released).eval()
    fill(model)
    tokens, mask = formula("text", 2, 24, model.text.width), torch.ones(2, 24, dtype=torch.bool)
    monkeypatch.setattr("zoo.models.dd_cmd.read_reports", lambda *_: TextTokens(tokens, mask, tokens[:, 0]))
    with torch.no_grad():
        logits = model(formula("image", 2, 3, 64, 64), Text(model.facts.prompts)).flatten()[::1037]
    expected = [-0.3178667, -0.322387, -0.2403033, -0.2168615, -0.3597873, -0.2971485, -0.4532846, -0.4999291]
    torch.testing.assert_close(logits, torch.tensor(expected), atol=1e-5, rtol=0)


@pytest.mark.parametrize("size", [(6, 5), (4, 3, 2)])
def test_the_cosine_transform_keeps_the_energy_and_finds_a_constant(size: tuple[int, ...]) -> None:
    x = formula("map", 2, 3, *size).double()
    transformed = cosine_transform(x)
    torch.testing.assert_close(transformed.square().flatten(2).sum(2), x.square().flatten(2).sum(2))
    flat = cosine_transform(torch.ones(1, 1, *size, dtype=torch.float64)).flatten()
    assert flat[0] == pytest.approx(torch.tensor(size).prod().item() ** 0.5)
    assert float(flat[1:].abs().max()) < 1e-12
