"""LanGuideMedSeg ("Ariadne's Thread"): image tokens read the report at every stage of the decoder.

Zhong et al., MICCAI 2023. The released code is GPL-3.0. This file is written from a description of that code.
`docs/models/lan_guide.md` compares the two.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from zoo.layers.tokens import crop_to, pad_to_two_places
from zoo.models.guided import GuidedModule
from zoo.models.output import Output
from zoo.models.read_text import read_reports
from zoo.types import Text


class LanGuide(GuidedModule):
    """A vision encoder, a text encoder, and decoder stages in which the image reads the text.

    Args:
        facts: See `SegModule`.
        guidance: False is an ablation: the factor of the cross-attention stays 0. The image alone
            reaches the logits, through the same network.
        **kwargs: See `GuidedModule`.

    Example:
        >>> from zoo import make_facts
        >>> model = LanGuide(make_facts(["lesion"], patch=[32, 32]), encoder="tiny", vision="conv", width=8)
        >>> tuple(model(torch.zeros(2, 1, 32, 32), Text(model.facts.prompts)).shape)
        (2, 1, 32, 32)
    """

    def __init__(self, facts: Mapping[str, Any], guidance: bool = True, **kwargs: Any) -> None:
        super().__init__(facts, **kwargs)
        if not guidance:
            for stage in self.decoder.stages:
                stage.gain = nn.Parameter(torch.tensor(0.0), requires_grad=False)

    def forward_features(self, image: Tensor, text: Text) -> Output:
        """Compute the logits. The losses need no other value."""
        read = read_reports(self.text, text, image)
        maps = self.vision(pad_to_two_places(image, self.vision.stride))
        feature = self.decoder(maps, self.decoder.project(read.tokens, read.mask))
        return Output(crop_to(self.head(feature), image.shape[2:]))
