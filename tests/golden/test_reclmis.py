"""RecLMIS against its release: the parameters that the release uses, its logits and its terms on equal weights."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from tests.helpers.formula_weights import fill, formula
from tests.helpers.no_weights import no_weights
from zoo import make_facts
from zoo.encoders.text_backbone import TextTokens
from zoo.errors import ConfigError
from zoo.models import RecLMIS, RecLMISReleased
from zoo.models.output import Output
from zoo.models.reclmis.reconstruction import choose_tokens, compare_tokens
from zoo.types import Text

UNUSED_SIGMOIDS, UNUSED_ATTENTION, CANCELLED_BIASES = 349_120, 8_413_184, 2
"""Parameters of the release without a gradient: a gate of the skips, cross-attentions of a source, softmax biases."""


def test_the_parameters_are_those_of_the_release_that_are_trained() -> None:
    with no_weights():
        model = RecLMIS(
            make_facts(["lesion"], patch=[224, 224], in_channels=3),
            released=RecLMISReleased(replaced=True, terms=True),
        )
    unused = UNUSED_SIGMOIDS + UNUSED_ATTENTION + CANCELLED_BIASES
    assert sum(weight.numel() for weight in model.parameters()) == 69_440_255 - unused


def released(monkeypatch: pytest.MonkeyPatch, **switches: Any) -> tuple[RecLMIS, Output]:
    """Return a narrow network with weights of a formula, in the released form, and its output for two images."""
    switches = {"tokens": 18, "replaced": True, "balanced": True, "terms": True, **switches}
    facts = make_facts(["lesion"], patch=[48, 48], in_channels=3)
    options: dict[str, Any] = {"masks": "heaviest", "released": RecLMISReleased(**switches)}
    model = RecLMIS(facts, encoder="tiny", width=8, places=3, layers=2, **options).eval()
    fill(model)
    with torch.no_grad():  # places that differ more than by rounding
        model.exchange.read_words.attention.in_proj_weight.mul_(8)
        for weight in model.reconstruction.weigh_places.parameters():
            weight.mul_(20)
    tokens = formula("text", 2, 18, model.text.width)
    read = TextTokens(tokens, torch.arange(18) < torch.tensor([[18], [9]]), tokens[:, 0])
    monkeypatch.setattr("zoo.models.reclmis.model.read_reports", lambda *_: read)
    with torch.no_grad():
        return model, model.forward_features(formula("image", 2, 3, 48, 48), Text(model.facts.prompts))


def test_the_logits_are_those_of_the_release(monkeypatch: pytest.MonkeyPatch) -> None:
    """The release with 8 instead of 64 channels, and with 9 instead of 196 places."""
    logits = released(monkeypatch)[1].logits.flatten()[::577]
    expected = [-0.517779, -0.4931419, -0.6686524, -0.6246032, -0.6370271, -0.6572521, -0.503565, -0.7089363]
    torch.testing.assert_close(logits, torch.tensor(expected), atol=1e-5, rtol=0)


def test_the_terms_are_those_of_the_release(monkeypatch: pytest.MonkeyPatch) -> None:
    """The release with its other choice of the masked tokens, the heaviest ones, because its draws are of NumPy."""
    model, output = released(monkeypatch)
    with torch.no_grad():
        terms = model.reconstruction(**output.extra, ids=torch.zeros(2, dtype=torch.int64))
    found = {name: round(float(term), 5) for name, term in terms.items()}
    expected = {"text_reconstruction": 1.4530758, "image_reconstruction": 8.3475723, "contrast": 1.1311119}
    assert found == pytest.approx(expected, abs=2e-5)


def test_an_image_target_is_trained_as_released_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """With its gradient, the exchange can make all places alike, which are then easy to reconstruct."""
    for terms in (False, True):
        model, output = released(monkeypatch, terms=terms)
        model.zero_grad()
        places = output.extra["places"]
        target = places.changed.clone().requires_grad_()
        last = list(model.reconstruction.weigh_places.parameters())[-1]
        torch.nn.init.zeros_(last)  # the weights of the places read them too
        extra = {**output.extra, "places": places._replace(changed=target)}
        model.reconstruction(**extra, ids=torch.arange(2))["image_reconstruction"].backward()
        assert (target.grad is not None and bool(target.grad.any())) == terms


def test_a_draw_takes_heavy_tokens_more_often_and_no_padding() -> None:
    torch.manual_seed(0)
    weights = torch.tensor([0.7, 0.2, 0.1, 0.0]).expand(4000, -1)
    mask = torch.tensor([True, True, True, False]).expand(4000, -1)
    share = choose_tokens(weights, mask, 0.5, drawn=True).float().mean(0)
    torch.testing.assert_close(share, torch.tensor([0.7, 0.2, 0.1, 0.0]), atol=0.03, rtol=0)
    two = choose_tokens(weights, mask, 0.67, drawn=True)
    assert two.sum(1).unique().tolist() == [2]
    assert choose_tokens(weights[:1], mask[:1], 0.5, drawn=False).tolist() == [[True, False, False, False]]


def test_the_similarity_is_a_weighed_mean_of_the_nearest_tokens() -> None:
    one, other = torch.tensor([1.0, 0.0]), torch.tensor([0.6, 0.8])
    words, image = torch.stack([one, other, -one])[None], torch.stack([one, torch.tensor([0.0, 1.0])])[None]
    mask = torch.tensor([[True, True, False]])
    found = compare_tokens(words, torch.tensor([[0.75, 0.25, 0.0]]), mask, image, torch.tensor([[0.5, 0.5]]))
    of_words, of_places = 0.75 * 1.0 + 0.25 * 0.8, 0.5 * 1.0 + 0.5 * 0.8
    torch.testing.assert_close(found, torch.tensor([[(of_words + of_places) / 2]]))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"masks": "random"}, "--model.masks random"),
        ({"masked_words": 1.0}, "--model.masked_words 1.0"),
        ({"contrast": -0.1}, "Weights"),
    ],
)
def test_options_that_mean_nothing_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        RecLMIS(make_facts(["lesion"], patch=[32, 32]), encoder="tiny", width=8, **options)
