"""MedCLIPSeg against its release: its parameters, its logits and its contrast on equal weights, and its draws."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.helpers.formula_weights import fill, formula
from tests.helpers.no_weights import no_weights
from zoo import make_facts
from zoo.models import MedCLIPSeg, MedCLIPSegReleased
from zoo.models.medclipseg.layers import soft_contrast
from zoo.types import Text

REPORTS = ("A lesion in the left lung.", "Two small lesions, right upper zone.")
SMALL: dict[str, Any] = {
    "encoder": "tiny",
    "width": 16,
    "depth": 2,
    "heads": 2,
    "patch": 8,
    "projected": 8,
    "levels": [0, 1],
    "adapter_width": 8,
}


def released(monkeypatch: pytest.MonkeyPatch, noise: Callable[[Tensor], Tensor], **switches: Any) -> tuple[Any, Any]:
    """Return a narrow network with weights of a formula, in the released form, and its output in training."""
    monkeypatch.setattr(torch, "randn_like", noise)
    facts = make_facts(["lesion"], patch=[64, 64], in_channels=3)
    sizes = {**SMALL, "width": 64, "heads": 4, "patch": 16, "places": 4, "projected": 16, "gate": 0.3}
    model = MedCLIPSeg(facts, **sizes, released=MedCLIPSegReleased(**{"tokens": 24, "flat_targets": True, **switches}))
    monkeypatch.setattr(model.text.backbone, "pool", "first")
    model.sentence.register_parameter("bias", None)
    fill(model)
    with torch.no_grad():
        return model, model.forward_features(formula("image", 2, 3, 64, 64), Text(model.facts.prompts, REPORTS))


def test_the_logits_and_the_contrast_are_those_of_the_release(monkeypatch: pytest.MonkeyPatch) -> None:
    """The release with two blocks of 64 channels, with the layers of our small text encoder, without its noise."""
    _, output = released(monkeypatch, torch.zeros_like)
    expected = [0.3838213, 0.4927627, 0.2118758, -0.0668600, 0.0712190, -0.1548728, 0.0472135, 0.3358942]
    torch.testing.assert_close(output.logits.flatten()[::1037], torch.tensor(expected), atol=1e-5, rtol=0)
    contrast = soft_contrast(output.extra["visual"], output.extra["textual"], 0.2, flat=True)
    torch.testing.assert_close(contrast, torch.tensor(1.1224030), atol=1e-5, rtol=0)


def test_the_logits_under_given_noise_are_those_of_the_release(monkeypatch: pytest.MonkeyPatch) -> None:
    _, output = released(monkeypatch, lambda x: formula("noise", *x.shape))
    expected = [0.3273550, 0.4792361, 0.1696700, -0.0910558, 0.0876797, -0.2029726, 0.0261457, 0.3394121]
    torch.testing.assert_close(output.logits.flatten()[::1037], torch.tensor(expected), atol=1e-5, rtol=0)


def test_padding_that_is_masked_changes_the_logits_of_the_release(monkeypatch: pytest.MonkeyPatch) -> None:
    _, padded = released(monkeypatch, torch.zeros_like)
    _, longer = released(monkeypatch, torch.zeros_like, tokens=40)
    _, mended = released(monkeypatch, torch.zeros_like, tokens=None)
    assert bool((padded.logits - longer.logits).abs().max() > 1e-5)
    assert bool((padded.logits - mended.logits).abs().max() > 1e-5)


def test_the_trained_parameters_are_those_of_the_release_and_a_projection_of_the_sentence() -> None:
    with no_weights():
        model = MedCLIPSeg(make_facts(["lesion"], patch=[224, 224], in_channels=3), vision_weights="a/repository")
    counts = [sum(weight.numel() for weight in adapter.parameters()) for adapter in model.adapters.values()]
    assert counts == 10 * [1_577_986]
    assert sum(weight.numel() for weight in model.kernel.parameters()) == 787_968
    assert sum(weight.numel() for weight in model.up.parameters()) == 2_109_440
    assert model.params_trainable == 18_677_268 + 768 * 512 + 512


def test_draws_in_evaluation_are_the_same_for_each_image_and_average_probabilities() -> None:
    torch.manual_seed(0)
    facts = make_facts(["lesion"], patch=[32, 32])
    model = MedCLIPSeg(facts, **SMALL, samples=3).eval()
    image, text = torch.randn(2, 1, 32, 32), Text(model.facts.prompts)
    with torch.no_grad():
        both, again, second = model(image, text), model(image, text), model(image[1:], text)
        model.samples = 1
        one = model(image, text)
        model.samples = 0
        mean = model(image, text)
    assert both.equal(again), "no state of torch's generator"
    torch.testing.assert_close(both[1:], second, atol=1e-5, rtol=1e-4)
    assert bool((one - mean).abs().max() > 1e-4)
    assert bool((both - one).abs().max() > 1e-5)


def test_draws_of_exclusive_classes_average_shares() -> None:
    torch.manual_seed(0)
    model = MedCLIPSeg(make_facts(["liver", "spleen"], patch=[16, 16]), **SMALL, samples=2).eval()
    image, (liver, spleen) = torch.randn(1, 1, 16, 16), model.facts.prompts
    with torch.no_grad():
        logits, swapped = (model(image, Text(prompts)) for prompts in ((liver, spleen), (spleen, liver)))
        model.samples = 1
        one = model(image, Text(model.facts.prompts))
    torch.testing.assert_close(logits.exp().sum(1) / 2, torch.ones(1, 16, 16))
    torch.testing.assert_close(logits[:, :1], swapped[:, :1], atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(one.exp().sum(1), torch.ones(1, 16, 16))
    assert bool((logits[:, 1] - logits[:, 2]).abs().max() > 1e-5)


def test_the_target_of_the_contrast_is_the_likeness_of_the_texts() -> None:
    """By hand: two texts at a right angle and temperature 1 have the shares e / (e + 1) and 1 / (e + 1)."""
    texts = torch.eye(2)
    share = 2.718281828 / 3.718281828
    expected = -(share * torch.tensor(share).log() + (1 - share) * torch.tensor(1 - share).log())
    torch.testing.assert_close(soft_contrast(texts, texts, 1.0), expected)
