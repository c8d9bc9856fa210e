"""LanGuideMedSeg ("Ariadne's Thread"): image tokens read the report at every stage of the decoder.

Zhong et al., MICCAI 2023. The released code is GPL-3.0; this is written from a description of it.
`docs/models/lan_guide.md` lays the two side by side.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from zoo.encoders.text import build_text_encoder
from zoo.encoders.vision import build_vision_encoder
from zoo.layers.guided_decoder import GuidedDecoder
from zoo.layers.tokens import crop_to, pad_to_two_places
from zoo.models.base import Output, SegModule
from zoo.text.model_inputs import report_strings
from zoo.types import Text


class LanGuide(SegModule):
    """A vision encoder, a text encoder, and decoder stages that let the one read the other.

    Args:
        facts: See `SegModule`.
        encoder: Text encoder by name or folder.
        freeze_text: Freeze it; None keeps the encoder's own default.
        vision: "convnext" (published, 2D), "swin_v2" or "conv".
        vision_weights: Pre-trained weights of "convnext": a folder or a hub repository; empty for none.
        width: Channels of the vision stem.
        stages: Vision stages after the first map; each but the first map is guided.
        head_width: Channels at full resolution.
        heads: Heads of the cross-attention.
        gain: Where the learned factor of the cross-attention starts.
        norm: Of the decoder's convolutions: "batch" (published) or "instance".
        tokens: None: reports of any length, padding masked. 24: the released code's fixed length.
        guidance: False is an ablation: the cross-attention's factor is 0 and stays so; the image alone
            reaches the logits, through the same network.
        **kwargs: See `SegModule`.

    Example:
        >>> from zoo import make_facts
        >>> model = LanGuide(make_facts(["lesion"], patch=[32, 32]), encoder="tiny", vision="conv", width=8)
        >>> tuple(model(torch.zeros(2, 1, 32, 32), Text(model.facts.prompts)).shape)
        (2, 1, 32, 32)
    """

    def __init__(
        self,
        facts: Mapping[str, Any],
        encoder: str = "cxr_bert",
        freeze_text: bool | None = None,
        vision: str = "convnext",
        vision_weights: str = "",
        width: int = 96,
        stages: int = 3,
        head_width: int = 24,
        heads: int = 4,
        gain: float = 1.421,
        norm: str = "batch",
        tokens: int | None = None,
        guidance: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(facts, **kwargs)
        dims = self.facts.spatial_dims
        self.text = build_text_encoder(encoder, freeze_text)
        self.vision = build_vision_encoder(vision, dims, self.facts.in_channels, width, stages, vision_weights)
        self.decoder = GuidedDecoder(dims, self.vision, self.text.width, head_width, heads, gain, norm, tokens)
        if not guidance:
            for stage in self.decoder.stages:
                stage.gain = nn.Parameter(torch.tensor(0.0), requires_grad=False)
        conv = nn.Conv2d if dims == 2 else nn.Conv3d
        self.head = conv(head_width, self.facts.labels.channels, kernel_size=1)

    def forward_features(self, image: Tensor, text: Text) -> Output:
        """Compute the logits; the losses need nothing else."""
        read = self.text(report_strings(text, len(image)), self.device)
        maps = self.vision(pad_to_two_places(image, self.vision.stride))
        feature = self.decoder(maps, self.decoder.project(read.tokens, read.mask))
        return Output(crop_to(self.head(feature), image.shape[2:]))
