"""VoxTell: its prompt decoder against the release, its fusion by hand, and its logits per prompt."""

from __future__ import annotations

from typing import Any

import torch

from tests.helpers.formula_weights import fill, formula
from zoo import make_facts
from zoo.layers.query import QueryDecoder
from zoo.layers.tokens import to_map
from zoo.models.voxtell import VoxTell, multiply
from zoo.types import ClassPrompt, Text

SMALL: dict[str, Any] = {
    "encoder": "tiny",
    "channels": [4, 4, 8, 4],
    "query_width": 8,
    "layers": 1,
    "heads": 2,
    "mask_width": 8,
}
RELEASED = [
    [0.711576, 0.970862, 1.096749, 0.128453, -1.552325, -1.335336, -0.505139, 1.165508],
    [0.649860, 0.952104, 0.962778, 0.130300, -1.594295, -1.356394, -0.395795, 1.298813],
    [0.577502, 0.939754, 0.774111, 0.128085, -1.660173, -1.316064, -0.266060, 1.440323],
]
"""Output of the release's prompt decoder (width 8, 2 heads, 2 layers, feed-forward 12) on equal weights and inputs."""


def test_prompt_decoder_has_the_live_parameters_of_the_release() -> None:
    """The release has 251,858,944; its forward reaches none of the 100,737,024 of self-attention and its norm."""
    with torch.device("meta"):
        decoder = QueryDecoder(width=2048, layers=6, heads=8, hidden=2048, dropout=0.1)
    assert sum(weight.numel() for weight in decoder.parameters()) == 251_858_944 - 100_737_024 == 151_121_920


def test_prompt_decoder_has_the_values_of_the_release_on_equal_weights() -> None:
    decoder = QueryDecoder(width=8, layers=2, heads=2, hidden=12, dropout=0.1).eval()
    fill(decoder)
    found = decoder(formula("query", 1, 3, 8), to_map(formula("memory", 1, 6, 8), (2, 3)))
    torch.testing.assert_close(found[0], torch.tensor(RELEASED), atol=1e-5, rtol=0)


def test_maps_of_a_prompt_are_products_over_channels() -> None:
    feature = torch.tensor([[1.0, 2.0], [3.0, 4.0]])[None]  # two channels, two places
    vectors = torch.tensor([[1.0, 0.0, 10.0, 1.0]])  # two vectors of two channels
    assert multiply(vectors, feature).tolist() == [[[1.0, 2.0], [13.0, 24.0]]]


def test_logits_of_a_prompt_do_not_depend_on_the_others_and_the_background_is_zero() -> None:
    torch.manual_seed(0)
    model = VoxTell(make_facts(["liver", "spleen"], patch=[16, 16]), **SMALL).eval()
    image = torch.randn(2, 1, 16, 16)
    prompts = (ClassPrompt("liver", "The liver.", ()), ClassPrompt("spleen", "The spleen.", ()))
    other = (prompts[0], ClassPrompt("spleen", "Another organ.", ()))
    with torch.no_grad():
        logits, changed = model(image, Text(prompts)), model(image, Text(other))
    assert not logits[:, 0].any()
    torch.testing.assert_close(logits[:, 1], changed[:, 1])
    assert not torch.allclose(logits[:, 2], changed[:, 2])


def test_gradients_of_several_prompts_are_those_of_maps_that_are_kept() -> None:
    torch.manual_seed(0)
    model = VoxTell(make_facts(["liver", "spleen"], patch=[16, 16]), **SMALL).eval()
    image, text = torch.randn(1, 1, 16, 16), Text(model.facts.prompts)
    gradients = []
    for decode in (model._decode_again, model._decode):
        model._decode_again = decode  # type: ignore[method-assign]
        model.zero_grad()
        output = model.forward_features(image, text)
        (output.logits.square().sum() + sum(side.sum() for side in output.extra["sides"].values())).backward()
        gradients.append([weight.grad for weight in model.parameters()])
    torch.testing.assert_close(*gradients)
