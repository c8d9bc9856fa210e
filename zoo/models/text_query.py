"""A U-Net whose mask is the product of a text vector and the last feature map. A text-guided control.

This is the head of query-based segmenters (Luddecke and Ecker, CLIPSeg, CVPR 2022; Cheng et al., MaskFormer, NeurIPS
2021) without anything else of them. A method that is not better gains from having a text vector per class.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from zoo.layers.query import prepend_background
from zoo.layers.tokens import crop_to, pad_to_two_places
from zoo.models.output import Output
from zoo.models.read_text import read_prompts
from zoo.models.text_unet import TextUNet
from zoo.types import Text


class TextQuery(TextUNet):
    """The model `unet`, whose last convolution is replaced by a product with a vector per class.

    logit_k(x) = <W t_k, f(x)> / sqrt(C) + b, with the pooled embedding t_k of the prompt of class k, the last feature
    map f of C channels, a linear layer W of two levels, and one learned number b. Where the classes are
    exclusive, the background has a learned vector of its own.

    Args:
        facts: See `SegModule`.
        **kwargs: See `TextUNet`.

    Example:
        >>> from zoo import make_facts
        >>> model = TextQuery(make_facts(["lesion"], patch=[32, 32]), encoder="tiny", channels=(8, 8, 8, 8, 8, 8))
        >>> tuple(model(torch.zeros(2, 1, 32, 32), Text(model.facts.prompts)).shape)
        (2, 1, 32, 32)
    """

    text_path: ClassVar[tuple[str, ...]] = ("query", "background", "bias")

    def __init__(self, facts: Mapping[str, Any], **kwargs: Any) -> None:
        super().__init__(facts, **kwargs)
        self.head = nn.Identity()
        width = self.decoder.width
        self.query = nn.Sequential(nn.Linear(self.text.width, width), nn.GELU(), nn.Linear(width, width))
        self.background = nn.Parameter(torch.randn(1, width)) if self.facts.labels.exclusive else None
        self.bias = nn.Parameter(torch.zeros(()))

    def forward_features(self, image: Tensor, text: Text) -> Output:
        """Compute the logits. The losses need no other value."""
        queries = self.query(read_prompts(self.text, text, image))
        queries = prepend_background(self.background, queries)
        feature = self.decoder(self.vision(pad_to_two_places(image, self.vision.stride)))
        feature = crop_to(feature, image.shape[2:])
        logits = torch.einsum("bkc,bc...->bk...", queries, feature) / feature.shape[1] ** 0.5
        return Output(logits + self.bias)
