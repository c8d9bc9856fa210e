"""The convolutional network of LViT: an encoder of pooled convolutions, and a decoder that weighs its skips by place.

Li et al., "LViT: language meets vision transformer in medical image segmentation" (IEEE TMI 2023).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from zoo.encoders.staged_encoder import StagedEncoder
from zoo.encoders.vision import build_vision_encoder
from zoo.layers.convolutions import conv_norm_relu, two_convs


class PooledEncoder(StagedEncoder):
    """One convolution at full resolution, then max pooling and two convolutions per stage.

    Args:
        spatial_dims: 2 or 3.
        in_channels: Channels of the image.
        widths: Channels of every level.
        norm: "batch" or "instance".
    """

    limits = "any number of stages, the first map at full resolution"
    stem_stride = 1

    def __init__(self, spatial_dims: int, in_channels: int, widths: Sequence[int], norm: str) -> None:
        super().__init__()
        self.widths = tuple(widths)
        self.pool = nn.MaxPool2d(2) if spatial_dims == 2 else nn.MaxPool3d(2)
        self.first = conv_norm_relu(spatial_dims, in_channels, self.widths[0], norm)
        self.downs = nn.ModuleList(
            two_convs(spatial_dims, fine, coarse, norm) for fine, coarse in pairwise(self.widths)
        )

    @classmethod
    def build(
        cls, spatial_dims: int, in_channels: int, width: int, stages: int, weights: str, network: str = ""
    ) -> Self:
        """See the base class. The last stage does not double its channels, and the norm is that of a batch."""
        return cls(spatial_dims, in_channels, pooled_widths(width, stages), "batch")

    def stem(self, image: Tensor) -> Tensor:
        """See the base class."""
        out: Tensor = self.first(image)
        return out

    def stage(self, index: int, x: Tensor) -> Tensor:
        """See the base class."""
        out: Tensor = self.downs[index - 1](self.pool(x))
        return out


def build_pooled_encoder(
    vision: str, spatial_dims: int, in_channels: int, width: int, stages: int, weights: str, norm: str
) -> StagedEncoder:
    """Build LViT's own encoder ("lvit"), whose norm is chosen, or another one by its name.

    Args:
        vision: "lvit" or a name of `build_vision_encoder`, which describes the other arguments.
        spatial_dims: 2 or 3.
        in_channels: Channels of the image.
        width: Channels of the first map.
        stages: Stages after the first map.
        weights: Pre-trained weights, which "lvit" does not have.
        norm: Norm of "lvit": "batch" or "instance".
    """
    if vision == "lvit" and not weights:
        return PooledEncoder(spatial_dims, in_channels, pooled_widths(width, stages), norm)
    return build_vision_encoder(vision, spatial_dims, in_channels, width, stages, weights)


def pooled_widths(width: int, stages: int) -> list[int]:
    """Return the channels of each level: doubled by every stage but the last (64, 128, 256, 512, 512)."""
    return [width * 2 ** min(i, max(stages - 1, 0)) for i in range(stages + 1)]


class PlaceAttention(nn.Module):
    """PLAM of LViT: one factor per place, from the mean and the maximum over channels.

    The factor is not limited to [0, 1]: neither the release nor its figure has a sigmoid here.
    """

    def __init__(self, dims: int, width: int) -> None:
        super().__init__()
        conv = nn.Conv2d if dims == 2 else nn.Conv3d
        self.mean_conv, self.max_conv = (conv(width, width, kernel_size=1, bias=False) for _ in range(2))
        self.factor = nn.Sequential(nn.Linear(3, 6), nn.ReLU(), nn.Linear(6, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Weigh the places of a map [B, C, *S]."""
        mean, most = self.mean_conv(x).relu().mean(1), self.max_conv(x).relu().amax(1)
        factor: Tensor = self.factor(torch.stack([mean, most, mean + most], dim=-1))
        return x * factor[..., 0][:, None]


class PlaceAttentionDecoder(nn.Module):
    """Nearest upsampling, a skip weighed by `PlaceAttention`, and two convolutions per level, to full resolution.

    Args:
        dims: 2 or 3.
        encoder: The encoder whose maps are decoded. Where its first map has a stride, further steps follow.
        norm: "batch" or "instance".

    Attributes:
        width: Channels of the last map.
    """

    def __init__(self, dims: int, encoder: StagedEncoder, norm: str) -> None:
        super().__init__()
        widths = encoder.widths
        self.width, inputs = widths[0], widths[-1]
        self.skips, self.ups = nn.ModuleList(), nn.ModuleList()
        for level in reversed(range(len(widths) - 1)):
            outputs = widths[max(level - 1, 0)]
            self.skips.append(PlaceAttention(dims, widths[level]))
            self.ups.append(two_convs(dims, widths[level] + inputs, outputs, norm))
            inputs = outputs
        self.finals = nn.ModuleList(
            two_convs(dims, self.width, self.width, norm) for _ in range(encoder.stem_stride.bit_length() - 1)
        )

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """Compute the feature [B, width, *S] at full resolution from maps, finest first."""
        x, *skips = reversed(maps)
        for attend, up, skip in zip(self.skips, self.ups, skips, strict=True):
            x = up(torch.cat([attend(skip), F.interpolate(x, scale_factor=2)], dim=1))
        for up in self.finals:
            x = up(F.interpolate(x, scale_factor=2))
        return x
