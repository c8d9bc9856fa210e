"""Operations of each model at its published size, counted on the meta device: no weights, no numbers, no data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from datamodules.build import build_datamodule
from tests.helpers.model_cases import model_options, parsed
from tests.helpers.no_weights import no_weights
from zoo.data_facts import DataFacts
from zoo.encoders.text import TextEncoder
from zoo.encoders.text_backbone import Embedded, TextTokens
from zoo.registry import Card
from zoo.types import Text
from zoo.utils.plugins import import_object

TOKENS = 24
"""Tokens of each text, as in LanGuideMedSeg's release."""

INPUTS = {2: ("phantom_chest", (224, 224)), 3: ("phantom_abdomen", (96, 96, 96))}
"""Dimension to the data set, which gives the classes and the texts, and the size of the image of one channel."""


def measure_gflops(card: Card, dims: int) -> float:
    """Count the GFLOPs of a forward pass of the published network on one image.

    A multiplication and an addition count as two operations. A frozen text encoder is a cache, and is not counted.

    Args:
        card: The card of a model.
        dims: A dimension for which the card states the parameters of the published size.
    """
    data, size = INPUTS[dims]
    flags = ["--data", data, "--data.patch", str(list(size)), "--size", "published", "--trainer", "cpu"]
    options = model_options(parsed(["fit", "--model", card.name, *flags, "--out", str(Path("unused"))]))
    facts = DataFacts.from_dict(build_datamodule(data, patch=size).facts)
    kind: Any = import_object(str(card.config["model"]["class_path"]))
    try:
        return _count("meta", kind, options, facts)
    except NotImplementedError:  # an operation that needs numbers, such as a count of padding tokens
        return _count("cpu", kind, options, facts)


def _count(device: str, kind: Any, options: Mapping[str, Any], facts: DataFacts) -> float:
    with no_weights(device):
        model = kind(facts=facts.to_dict(), **options)
    model.eval()
    text = model.readable(Text(facts.prompts, None if facts.track == "class" else ("a report",)))
    counter = FlopCounterMode(display=False)
    with torch.device(device), _texts_without_words(), torch.no_grad(), counter:
        model.forward_features(torch.zeros(1, facts.in_channels, *facts.patch), text)
    return float(counter.get_total_flops()) / 1e9


@contextmanager
def _texts_without_words() -> Iterator[None]:
    """Give every text the same number of tokens, and a frozen encoder its cached result."""

    def embed(self: TextEncoder, strings: Sequence[str], device: Any = None) -> Embedded:
        del device
        return Embedded(torch.zeros(len(strings), TOKENS, self.width), _mask(len(strings)))

    def encoded(self: TextEncoder, strings: Sequence[str], stop: int | None, device: Any) -> TextTokens:
        if not self.frozen:
            return self._encode(list(strings), stop, device)
        hidden = torch.zeros(len(strings), TOKENS, self.width)
        return TextTokens(hidden, _mask(len(strings)), hidden[:, 0])

    fused = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)  # the counter does not count fused self-attention
    try:
        with (
            patch.object(TextEncoder, "embed", embed),
            patch.object(TextEncoder, "_encoded", encoded),
            patch("torch.fx.experimental._config.meta_nonzero_assume_all_nonzero", True),  # no token is padding
        ):
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fused)


def _mask(count: int) -> Tensor:
    return torch.ones(count, TOKENS, dtype=torch.bool)
