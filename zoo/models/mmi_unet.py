"""MMI-UNet: image and report change each other after every stage of the vision encoder.

Bui et al., "Visual-textual matching attention for lesion segmentation in chest images" (MICCAI 2024). The released code
is GPL-3.0; it was read, and this file is written anew. `docs/models/mmi_unet.md` compares the two.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar

import torch
from monai.networks.blocks import SubpixelUpsample
from torch import Tensor, nn
from torch.nn import functional as F

from zoo.encoders.staged_encoder import ATTENTION_STRIDE
from zoo.encoders.text import build_text_encoder
from zoo.encoders.vision import build_vision_encoder
from zoo.layers.attention import ExchangeLayer
from zoo.layers.convolutions import conv_norm_relu
from zoo.layers.tokens import crop_to, pad_to_two_places, positions, sequence_positions, to_map, to_tokens
from zoo.models.base import SegModule
from zoo.models.output import Output
from zoo.models.read_text import read_reports
from zoo.types import Text
from zoo.utils.class_args import as_group


@dataclass(frozen=True)
class MMIReleased:
    """Switches that restore the behaviour of MMI-UNet's released code.

    Attributes:
        tokens: None: text of any length, padding masked. 24: the fixed length of the released code, padding read.
        no_places: Neither the tokens of the image nor those of the text have positions.
        drop_border: A map of odd size loses its last row before the text reads it. False: it is padded.

    Example:
        >>> MMIReleased(tokens=24)
        MMIReleased(tokens=24, no_places=False, drop_border=False)
    """

    tokens: int | None = None
    no_places: bool = False
    drop_border: bool = False


class Bridger(nn.Module):
    """The exchange after one stage, at half the resolution of its map.

    Args:
        dims: 2 or 3.
        width: Channels of the map, and of both modalities in the exchange.
        text_width: Channels of a text token.
        last: No later stage reads the text, so it is not changed.
        released: See `MMIReleased`.
        layer: Heads, hidden channels and dropout of the layers; see `ExchangeLayer`.
    """

    def __init__(self, dims: int, width: int, text_width: int, last: bool, released: MMIReleased, *layer: Any) -> None:
        super().__init__()
        conv, transposed = (nn.Conv2d, nn.ConvTranspose2d) if dims == 2 else (nn.Conv3d, nn.ConvTranspose3d)
        self.released = released
        self.shrink = conv(width, width, kernel_size=2, stride=2, bias=False)
        self.grow = transposed(width, width, kernel_size=2, stride=2, bias=False)
        self.project = nn.Linear(text_width, width)
        self.norm_image, self.norm_text = nn.LayerNorm(width), nn.LayerNorm(width)
        self.read_text = ExchangeLayer(width, *layer)
        self.read_image = None if last else ExchangeLayer(width, *layer)
        self.restore = None if last else nn.Linear(width, text_width)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, std=0.02)
                nn.init.zeros_(module.bias)
        for weight in (self.shrink.weight, self.grow.weight):
            nn.init.kaiming_normal_(weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x: Tensor, text: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Return what is added to a map [B, C, *S] and to tokens [B, L, W] of the text (zeros at the last stage)."""
        size, device = x.shape[2:], x.device
        if not self.released.drop_border:
            x = F.pad(x, [n for side in reversed(size) for n in (0, side % 2)])
        small = self.shrink(x)
        image = self.norm_image(to_tokens(small))
        words = self.norm_text(self.project(text))
        places = [
            positions(small.shape[2:], image.shape[2], device),
            sequence_positions(words.shape[1], words.shape[2], device),
        ]
        if self.released.no_places:
            places = [torch.zeros_like(place) for place in places]
        read = self.read_text(image, places[0], None, words, places[1], mask)
        grown = self.grow(to_map(read, small.shape[2:]))
        grown = F.pad(
            grown, [n for side, own in zip(size[::-1], grown.shape[:1:-1], strict=True) for n in (0, side - own)]
        )
        if self.read_image is None or self.restore is None:
            return grown, torch.zeros_like(text)
        return grown, self.restore(self.read_image(words, places[1], mask, image, places[0]))


class UpStage(nn.Module):
    """A transposed convolution, the map of the finer stage, and one convolution."""

    def __init__(self, dims: int, width: int, out: int, norm: str) -> None:
        super().__init__()
        transposed = nn.ConvTranspose2d if dims == 2 else nn.ConvTranspose3d
        self.up = transposed(width, out, kernel_size=2, stride=2)
        self.conv = conv_norm_relu(dims, 2 * out, out, norm)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        """Upsample a map [B, width, *S] and join it with the skip [B, out, *2S]."""
        out: Tensor = self.conv(torch.cat([self.up(x), skip], dim=1))
        return out


class MMIUNet(SegModule):
    """A vision encoder with an exchange after each stage, and a decoder that reads no text.

        x = stage(x);  v, t = exchange(x, T);  map = x + v;  T = T_0 + T + t;  x = map + x for the next stage

    Args:
        facts: See `SegModule`.
        encoder: Text encoder by name or folder.
        freeze_text: Freeze the text encoder. None keeps the encoder's own default.
        vision: "convnext" (published, 2D) or another vision encoder; see `build_vision_encoder`.
        vision_weights: Pre-trained weights of the vision encoder; see `build_vision_encoder`.
        width: Channels of the vision stem.
        stages: Vision stages after the first map. Maps of a stride below 4 have no exchange.
        heads: Most heads of an attention; fewer where they do not divide the width.
        hidden: Hidden channels of the feed-forward networks.
        dropout: Share of values of the exchange that are set to zero in training.
        head_width: Channels of the segmentation head's feature, at full resolution.
        norm: Normalisation of the decoder: "batch" (published) or "instance".
        exchange: False is an ablation: only the deepest map reads the text.
        released: Switches that restore the behaviour of the released code.
        **kwargs: See `SegModule`.

    Example:
        >>> from zoo import make_facts
        >>> model = MMIUNet(make_facts(["lesion"], patch=[32, 32]), encoder="tiny", vision="conv", width=8)
        >>> tuple(model(torch.zeros(2, 1, 32, 32), Text(model.facts.prompts)).shape)
        (2, 1, 32, 32)
    """

    text_path: ClassVar[tuple[str, ...]] = ("bridgers",)

    def __init__(
        self,
        facts: Mapping[str, Any],
        encoder: str = "cxr_bert",
        freeze_text: bool | None = None,
        vision: str = "convnext",
        vision_weights: str = "",
        width: int = 96,
        stages: int = 3,
        heads: int = 8,
        hidden: int = 128,
        dropout: float = 0.1,
        head_width: int = 24,
        norm: str = "batch",
        exchange: bool = True,
        released: MMIReleased = MMIReleased(),
        **kwargs: Any,
    ) -> None:
        super().__init__(facts, **kwargs)
        self.released = as_group(MMIReleased, released)
        dims = self.facts.spatial_dims
        self.text = build_text_encoder(encoder, freeze_text, self.released.tokens)
        self.vision = build_vision_encoder(vision, dims, self.facts.in_channels, width, stages, vision_weights)
        widths, last = self.vision.widths, self.vision.text_levels[-1]
        self.first = (
            last if not exchange else 0 if self.vision.stem_stride >= ATTENTION_STRIDE else self.vision.text_levels[0]
        )
        layer = (heads, hidden, dropout)
        self.bridgers = nn.ModuleList(
            Bridger(dims, widths[i], self.text.width, i == last, self.released, *layer)
            for i in range(self.first, last + 1)
        )
        self.ups = nn.ModuleList(UpStage(dims, wide, narrow, norm) for wide, narrow in pairwise(widths[::-1]))
        self.upsample = SubpixelUpsample(dims, widths[0], head_width, self.vision.stem_stride)
        self.head = (nn.Conv2d if dims == 2 else nn.Conv3d)(head_width, self.facts.labels.channels, kernel_size=1)

    def forward_features(self, image: Tensor, text: Text) -> Output:
        """Compute the logits. The losses need no other value."""
        read = read_reports(self.text, text, image)
        mask = torch.ones_like(read.mask) if self.released.tokens else read.mask
        words, maps = read.tokens, []
        x = self.vision.stem(pad_to_two_places(image, self.vision.stride))
        for level in range(len(self.vision.widths)):
            if level:
                x = self.vision.stage(level, x)
            if level >= self.first:
                seen, written = self.bridgers[level - self.first](x, words, mask)
                maps.append(x + seen)
                words = read.tokens + words + written
                x = maps[-1] + x
            else:
                maps.append(x)
        feature, *skips = maps[::-1]
        for up, skip in zip(self.ups, skips, strict=True):
            feature = up(feature, skip)
        return Output(crop_to(self.head(self.upsample(feature)), image.shape[2:]))
