"""Published models without their weights: networks on the meta device, which hold no numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

import torch
from torch.overrides import TorchFunctionMode
from transformers import BertConfig, BertModel, ConvNextConfig, ConvNextModel

from zoo.encoders.huggingface import BertBackbone
from zoo.encoders.text_backbone import TextBackbone
from zoo.registry import ENCODERS


class RealSteps(TorchFunctionMode):
    """Keeps `torch.linspace` on the processor: networks read rates of dropout from its numbers."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        more = {"device": "cpu"} if func is torch.linspace else {}
        return func(*args, **{**(kwargs or {}), **more})


@contextmanager
def no_weights(device: str = "meta") -> Iterator[None]:
    """Build networks on the meta device or with random weights on another, and load no pre-trained weights."""
    with ExitStack() as stack:
        stack.enter_context(torch.device(device))
        stack.enter_context(RealSteps())
        stack.enter_context(patch("zoo.encoders.huggingface.load", _text_backbone))
        stack.enter_context(patch("zoo.encoders.openclip.load", _text_backbone))
        stack.enter_context(patch("zoo.encoders.convnext._load", _convnext))
        stack.enter_context(patch("zoo.encoders.timm_encoder._load", lambda *_: "none"))
        stack.enter_context(patch("zoo.encoders.plain_vit._load", lambda *_: "none"))
        stack.enter_context(patch("zoo.encoders.timm_encoder.TimmEncoder._check"))  # it computes maps
        yield


def _text_backbone(config: Mapping[str, Any], frozen: bool) -> tuple[TextBackbone, str]:
    """Return a BERT of the sizes on the encoder's card."""
    about = next(card.about for card in ENCODERS if card.config.get("repo") == config["repo"])
    sizes = {"hidden_size": about["width"], "num_hidden_layers": about["layers"]}
    bert = BertConfig(num_attention_heads=about["width"] // 64, intermediate_size=4 * about["width"], **sizes)
    return BertBackbone(BertModel(bert, add_pooling_layer=False), lambda strings: [], {}, about["max_length"]), "none"


def _convnext(weights: str, sizes: dict[str, Any]) -> Any:
    return ConvNextModel(ConvNextConfig(num_stages=len(sizes["depths"]), **sizes))
