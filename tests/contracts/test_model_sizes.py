"""The two sizes of every card: `tiny` computes a step, and `published` has the parameters that the card states."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from tests.contracts.conftest import Fitted
from tests.helpers.model_cases import model_options, network, parsed
from tests.helpers.no_weights import no_weights
from zoo.cards import ModelCard
from zoo.encoders.text import TextEncoder
from zoo.errors import ConfigError
from zoo.models.base import text_of


def own_parameters(module: nn.Module) -> int:
    """Return the number of parameters without the text encoder, which is chosen apart from the model."""
    encoders = [part for part in module.modules() if isinstance(part, TextEncoder)]
    others = {id(weight) for encoder in encoders for weight in encoder.parameters()}
    return sum(weight.numel() for weight in module.parameters() if id(weight) not in others)


def test_tiny_card_computes_a_step(fitted: Fitted) -> None:
    tiny = network(fitted.case)
    module = tiny.build(tiny.tiny).train()
    batch = fitted.training
    output = module.forward_features(batch["image"], text_of(batch))
    module.total_loss(module.compute_losses(batch, output)).backward()
    gradients = [weight.grad for weight in module.parameters() if weight.requires_grad]
    assert all(gradient is not None and torch.isfinite(gradient).all() for gradient in gradients)


def test_published_card_has_the_parameters_that_it_states(fitted: Fitted, tmp_path: Path) -> None:
    """The card of a network that a dimension does not have states no number for it."""
    card, dims = ModelCard.of(fitted.case.card), fitted.case.dims
    stated = card.parameters.get(dims)
    try:
        with no_weights():
            published = model_options(parsed(fitted.case.words("fit", tmp_path, size="published")))
            module = network(fitted.case).build(published)
    except ConfigError:
        assert card.parameters
        assert stated is None
        pytest.skip(f"the published network has no form in {dims}D")
    count = own_parameters(module)
    assert count == stated, f"write `parameters: {{{dims}: {count}}}` under `about` in {fitted.case.card.place}"
    assert any(isinstance(part, _BatchNorm) for part in module.modules()) == card.batch_norm
