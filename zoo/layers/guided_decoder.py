"""The decoder of the LanGuideMedSeg family: image tokens attend to themselves and to the text, then are upsampled.

Zhong et al., "Ariadne's Thread: Using Text Prompts to Improve Segmentation of Infected Areas from Chest
X-ray images" (MICCAI 2023). This file is written from a description of the released code, which LanGuideMedSeg
and TeViA share.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import ClassVar

import torch
from monai.networks.blocks import SubpixelUpsample, UnetrUpBlock
from torch import Tensor, nn
from torch.nn import functional as F

from zoo.encoders.staged_encoder import StagedEncoder
from zoo.layers.attention import Attention
from zoo.layers.tokens import positions, sequence_positions, to_map, to_tokens

RELEASED_LENGTHS = (24, 12, 9)
"""Number of tokens, out of 24, that the released code keeps at the deepest, the middle and the finest stage."""


class TextProjection(nn.Module):
    """Projection of text tokens to the width of a stage.

    Args:
        text_width: Channels of a text token.
        width: Channels of the stage.
        tokens: None: each token is projected alone, for any length. A number (24 in the released code): the
            text has this length, and a convolution over the token axis mixes the tokens, padding too. A longer text
            is cut and a shorter one, for example one learned vector, is filled with zeros.
        kept: Number of tokens after the convolution; unused without `tokens`.
    """

    def __init__(self, text_width: int, width: int, tokens: int | None = None, kept: int = 0) -> None:
        super().__init__()
        self.tokens = tokens
        self.mix = nn.Sequential(nn.Conv1d(tokens, kept, kernel_size=1), nn.GELU()) if tokens else nn.Identity()
        self.project = nn.Sequential(nn.Linear(text_width, width), nn.LeakyReLU())

    def forward(self, text: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Project text [B, L, text_width] and bool [B, L] to [B, L', width] with its mask (mixed tokens are real)."""
        if self.tokens:
            text = F.pad(text[:, : self.tokens], (0, 0, 0, max(self.tokens - text.shape[1], 0)))
            text = self.mix(text)
            mask = mask.new_ones(text.shape[:2])
        return self.project(text), mask


class GuideStage(nn.Module):
    """One stage: self-attention of the image, cross-attention to the text, upsampling.

        u = LN(x);  q = k = (u + place) * (1 + prototype), or u + place without a prototype
        x = x + LN(SA(q, k, u))
        x = x + gain * LN(CA(LN(x) + place, t + place of the token, t))
        out = up(x, skip)

    Args:
        spatial_dims: 2 or 3.
        width: Channels of the input map.
        width_out: Channels of the skip and of the output map, at twice the resolution.
        text_width: Channels of a text token.
        heads: Heads of the cross-attention; the self-attention has one head.
        gain: Start value of the learned factor of the cross-attention: 1.421 in LanGuideMedSeg, 0.01 in TeViA.
        norm: Normalisation of the convolutions: "batch" as released, or "instance".
        tokens: See `TextProjection`.
        kept: See `TextProjection`.
        flat_places: True: the place of an image token is its number, as released. False: its coordinate on each axis.
    """

    text_path: ClassVar[tuple[str, ...]] = ("project", "cross_norm", "cross_attention", "cross_out", "gain")

    def __init__(
        self,
        spatial_dims: int,
        width: int,
        width_out: int,
        text_width: int,
        heads: int,
        gain: float,
        norm: str,
        tokens: int | None,
        kept: int,
        flat_places: bool = False,
    ) -> None:
        super().__init__()
        self.project = TextProjection(text_width, width, tokens, kept)
        self.self_norm, self.self_out = nn.LayerNorm(width), nn.LayerNorm(width)
        self.cross_norm, self.cross_out = nn.LayerNorm(width), nn.LayerNorm(width)
        self.self_attention, self.cross_attention = Attention(width, 1), Attention(width, heads)
        self.gain = nn.Parameter(torch.tensor(gain))
        self.flat_places = flat_places
        self.up = UnetrUpBlock(spatial_dims, width, width_out, kernel_size=3, upsample_kernel_size=2, norm_name=norm)

    def forward(self, x: Tensor, skip: Tensor, text: Tensor, mask: Tensor, prototype: Tensor | None = None) -> Tensor:
        """Guide a map by the text and upsample it.

        Args:
            x: Map [B, width, *S].
            skip: Map [B, width_out, *2S].
            text: Projected tokens [B, L, width].
            mask: Bool [B, L], True for a real token.
            prototype: Values [width] in [0, 1] that scale query and key of the self-attention (TeViA).

        Returns:
            Map [B, width_out, *2S].
        """
        size = x.shape[2:]
        image = to_tokens(x)
        count, width = image.shape[1:]
        place = sequence_positions(count, width, x.device) if self.flat_places else positions(size, width, x.device)
        u = self.self_norm(image)
        query = u + place if prototype is None else (u + place) * (1 + prototype)
        image = image + self.self_out(self.self_attention(query, query, u))
        keys = text + sequence_positions(text.shape[1], text.shape[2], text.device)
        read = self.cross_attention(self.cross_norm(image) + place, keys, text, mask)
        image = image + self.gain * self.cross_out(read)
        out: Tensor = self.up(to_map(image, size), skip)
        return out


class GuidedDecoder(nn.Module):
    """Guide stages from the deepest map up to the finest, then a sub-pixel step to full resolution.

    A map whose stride is below 4 is not guided, because attention over its places is too expensive: it is upsampled
    without text. Such maps exist in an encoder whose first map is at full resolution. The last step then
    is a convolution.

    Args:
        spatial_dims: 2 or 3.
        encoder: The encoder whose maps are decoded.
        text_width: Channels of a text token.
        head_width: Channels of the segmentation head's feature (24 in the released code).
        heads: See `GuideStage`.
        gain: See `GuideStage`.
        norm: See `GuideStage`.
        tokens: See `TextProjection`.
        flat_places: See `GuideStage`.

    Raises:
        ConfigError: See `StagedEncoder.text_levels`.
    """

    def __init__(
        self,
        spatial_dims: int,
        encoder: StagedEncoder,
        text_width: int,
        head_width: int = 24,
        heads: int = 4,
        gain: float = 1.421,
        norm: str = "batch",
        tokens: int | None = None,
        flat_places: bool = False,
    ) -> None:
        super().__init__()
        widths = encoder.widths[::-1]
        kept = [RELEASED_LENGTHS[min(i, 2)] for i in range(len(widths))]
        steps = list(pairwise(widths))
        guided, unguided = steps[: len(encoder.text_levels)], steps[len(encoder.text_levels) :]
        self.stages = nn.ModuleList(
            GuideStage(spatial_dims, width, out, text_width, heads, gain, norm, tokens, kept[i], flat_places)
            for i, (width, out) in enumerate(guided)
        )
        self.ups = nn.ModuleList(
            UnetrUpBlock(spatial_dims, width, out, kernel_size=3, upsample_kernel_size=2, norm_name=norm)
            for width, out in unguided
        )
        self.upsample = SubpixelUpsample(spatial_dims, widths[-1], head_width, encoder.stem_stride)

    def project(self, text: Tensor, mask: Tensor) -> list[tuple[Tensor, Tensor]]:
        """Project text tokens for each stage, deepest first; return tokens and mask per stage."""
        return [stage.project(text, mask) for stage in self.stages]  # type: ignore[operator]

    def forward(
        self,
        maps: Sequence[Tensor],
        texts: Sequence[tuple[Tensor, Tensor]],
        prototypes: Sequence[Tensor] | None = None,
    ) -> Tensor:
        """Compute the feature of the segmentation head, [B, head_width, *S], at full resolution.

        Args:
            maps: Maps of the encoder, finest first.
            texts: The result of `project`, which a method may have changed.
            prototypes: One per stage, see `GuideStage`.
        """
        x, *skips = maps[::-1]
        for i, (stage, skip) in enumerate(zip(self.stages, skips, strict=False)):
            x = stage(x, skip, *texts[i], None if prototypes is None else prototypes[i])
        for up, skip in zip(self.ups, skips[len(self.stages) :], strict=True):
            x = up(x, skip)
        feature: Tensor = self.upsample(x)
        return feature
