"""FPN: a feature pyramid on any vision encoder, which does not read the text."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from zoo.encoders.staged_encoder import ATTENTION_STRIDE, StagedEncoder
from zoo.encoders.vision import build_vision_encoder
from zoo.layers.tokens import crop_to, resize
from zoo.models.output import Output
from zoo.models.vision_only import VisionOnly
from zoo.types import Text

FINEST = ATTENTION_STRIDE
"""Stride of the finest level of the published pyramid."""

GROUPS = 32
"""Most groups of a group norm."""


class FPN(VisionOnly):
    """The semantic branch of Kirillov et al., "Panoptic feature pyramid networks" (CVPR 2019).

    Each map of stride 4 or more is projected to one width, and the coarser level is added. Each level is then convolved
    and upsampled to the finest one. The logits are those of the sum, upsampled to the image.

    Args:
        facts: See `VisionOnly`.
        vision: The vision encoder; see `build_vision_encoder`.
        width: Channels of the first map of the encoder.
        stages: Stages of the encoder after its first map.
        vision_weights: Pre-trained weights of the vision encoder; see `build_vision_encoder`.
        pyramid_width: Channels of the pyramid.
        head_width: Channels of the sum.
        **kwargs: See `VisionOnly`.

    Example:
        >>> import torch
        >>> from zoo import make_facts
        >>> model = FPN(make_facts(["lesion"], patch=[32, 32]), width=4, stages=2, pyramid_width=8, head_width=8)
        >>> tuple(model(torch.zeros(2, 1, 32, 32), Text(model.facts.prompts)).shape)
        (2, 1, 32, 32)
    """

    def __init__(
        self,
        facts: Mapping[str, Any],
        vision: str = "conv",
        width: int = 64,
        stages: int = 4,
        vision_weights: str = "",
        pyramid_width: int = 256,
        head_width: int = 128,
        **kwargs: Any,
    ) -> None:
        super().__init__(facts, **kwargs)
        dims, channels = self.facts.spatial_dims, self.facts.in_channels
        self.vision = build_vision_encoder(vision, dims, channels, width, stages, vision_weights)
        self.stride = self.vision.stride
        self.decoder = PyramidDecoder(dims, self.vision, pyramid_width, head_width)
        self.head = _conv(dims, head_width, self.facts.labels.channels, 1)

    def forward_features(self, image: Tensor, text: Text) -> Output:
        """Compute the logits. The losses need no other value."""
        padded = self.pad(image)
        logits = self.head(self.decoder(self.vision(padded)))
        return Output(crop_to(resize(logits, padded.shape[2:]), image.shape[2:]))


class PyramidDecoder(nn.Module):
    """A top-down pathway, and the sum of its levels at the resolution of the finest one.

    Args:
        spatial_dims: 2 or 3.
        encoder: The encoder whose maps are decoded.
        pyramid_width: Channels of the pyramid.
        head_width: Channels of the sum.
    """

    def __init__(self, spatial_dims: int, encoder: StagedEncoder, pyramid_width: int, head_width: int) -> None:
        super().__init__()
        strides = [encoder.stem_stride * 2**level for level in range(len(encoder.widths))]
        self.first = next((level for level, stride in enumerate(strides) if stride >= FINEST), len(strides) - 1)
        widths = encoder.widths[self.first :]
        self.laterals = nn.ModuleList(_conv(spatial_dims, width, pyramid_width, 1) for width in widths)
        self.smooth = nn.ModuleList(_conv(spatial_dims, pyramid_width, pyramid_width, 3) for _ in widths)
        self.branches = nn.ModuleList(
            nn.ModuleList(
                _block(spatial_dims, head_width if step else pyramid_width, head_width) for step in range(max(level, 1))
            )
            for level in range(len(widths))
        )

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """Compute the sum [B, head_width, *S'] from the maps of the encoder, finest first."""
        kept = maps[self.first :]
        levels = [lateral(level) for lateral, level in zip(self.laterals, kept, strict=True)]
        for level in reversed(range(len(levels) - 1)):
            levels[level] = levels[level] + F.interpolate(levels[level + 1], size=kept[level].shape[2:], mode="nearest")
        total = torch.zeros((), device=levels[0].device)
        for level, (coarse, smooth, branch) in enumerate(zip(levels, self.smooth, self.branches, strict=True)):
            x = smooth(coarse)
            for step, block in enumerate(branch.children(), start=1):
                x = block(x)
                if level:
                    x = resize(x, kept[level - step].shape[2:])
            total = total + x
        return total


def _conv(spatial_dims: int, channels: int, out: int, size: int) -> nn.Module:
    kind = nn.Conv2d if spatial_dims == 2 else nn.Conv3d
    return kind(channels, out, size, padding=size // 2)


def _block(spatial_dims: int, channels: int, out: int) -> nn.Module:
    norm = nn.GroupNorm(math.gcd(GROUPS, out), out)
    return nn.Sequential(_conv(spatial_dims, channels, out, 3), norm, nn.ReLU(inplace=True))
