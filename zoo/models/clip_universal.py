"""The CLIP-driven universal model: a text embedding per class, with the image, generates the kernels of its mask.

Liu et al., "CLIP-driven universal model for organ segmentation and tumor detection" (ICCV 2023). Written from a
description of the released code, which forbids changed copies. `docs/models/clip_universal.md` compares the two.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from zoo.errors import ConfigError
from zoo.layers.kernels import SIZE, WIDTH, apply_kernels
from zoo.layers.query import prepend_background
from zoo.layers.tokens import crop_to, pad_to_two_places
from zoo.models.output import Output
from zoo.models.read_text import read_prompts
from zoo.models.text_unet import TextUNet
from zoo.types import Text

EMBEDDINGS = ("text", "random")
CODE = 256
"""Channels of the code of an image and of a class, as released."""
GROUPS = 16
"""Groups of the norms of the head, as released."""


class ClipUniversal(TextUNet):
    """The model `unet`, whose last convolution is three layers with kernels generated per image and class.

        c = W pool(relu(GN(e))),  s_k = relu(V t_k),  kernels_k = U [c; s_k],  logit_k = kernels_k(W' relu(GN(f)))

    with the deepest encoder map e, the last feature map f, the pooled embedding t_k of the prompt of class k, group
    norms GN, and linear layers. The mask of a class does not depend on the other classes. Where the classes are
    exclusive, the background has a learned code s_0.

    Args:
        facts: See `SegModule`.
        embedding: "text", or "random": a learned code per class; the text is not read. That is the ablation of the
            authors.
        **kwargs: See `TextUNet`.

    Raises:
        ConfigError: An unknown embedding.

    Example:
        >>> from zoo import make_facts
        >>> model = ClipUniversal(make_facts(["lesion"], patch=[32, 32]), encoder="tiny", channels=[16] * 6)
        >>> tuple(model(torch.zeros(2, 1, 32, 32), Text(model.facts.prompts)).shape)
        (2, 1, 32, 32)
    """

    text_path: ClassVar[tuple[str, ...]] = ("classes", "background", "context", "controller")

    def __init__(self, facts: Mapping[str, Any], embedding: str = "text", **kwargs: Any) -> None:
        super().__init__(facts, **kwargs)
        if embedding not in EMBEDDINGS:
            raise ConfigError(f"--model.embedding {embedding!r} is unknown.", f"Use {' or '.join(EMBEDDINGS)}.")
        labels, dims = self.facts.labels, self.facts.spatial_dims
        conv, pool = (nn.Conv2d, nn.AdaptiveAvgPool2d) if dims == 2 else (nn.Conv3d, nn.AdaptiveAvgPool3d)
        deepest = self.vision.widths[-1]
        self.head = nn.Sequential(*_normed(self.decoder.width), conv(self.decoder.width, WIDTH, kernel_size=1))
        self.context = nn.Sequential(*_normed(deepest), pool(1), nn.Flatten(), nn.Linear(deepest, CODE))
        self.classes: nn.Module
        if embedding == "text":
            self.classes = nn.Sequential(nn.Linear(self.text.width, CODE), nn.ReLU())
        else:
            del self.text  # DDP fails with unused parameters
            self.classes = nn.Embedding(len(labels.names), CODE)
        self.background = nn.Parameter(torch.randn(1, CODE)) if labels.exclusive else None
        self.controller = nn.Linear(2 * CODE, SIZE)

    def forward_features(self, image: Tensor, text: Text) -> Output:
        """Compute the logits. The losses need no other value."""
        codes = self._encode_classes(text, image)
        maps = self.vision(pad_to_two_places(image, self.vision.stride))
        feature = crop_to(self.head(self.decoder(maps)), image.shape[2:])
        context = self.context(maps[-1])[:, None].expand(-1, codes.shape[1], -1)
        return Output(apply_kernels(feature, self.controller(torch.cat([context, codes], dim=2))))

    def _encode_classes(self, text: Text, image: Tensor) -> Tensor:
        """Compute the code of each class and image, [B, K, 256], the background first where classes are exclusive."""
        if isinstance(self.classes, nn.Embedding):
            codes = self.classes.weight.expand(image.shape[0], -1, -1)
        else:
            codes = self.classes(read_prompts(self.text, text, image))
        return prepend_background(self.background, codes)


def _normed(channels: int) -> tuple[nn.Module, nn.Module]:
    return nn.GroupNorm(math.gcd(GROUPS, channels), channels), nn.ReLU()
