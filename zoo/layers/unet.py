"""The plain U-Net: the vision-only baseline, and the network of the text-guided controls."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from monai.networks.nets import BasicUNet
from torch import Tensor

from zoo.data_facts import DataFacts

STRIDE = 16
"""Stride of the deepest of the five levels, relative to the image."""

AtLevel = Callable[[int, Tensor], Tensor]
"""Changes the map [B, C, *S] of an encoder level, 0 at full resolution to 4."""


def plain_unet(facts: DataFacts, channels: Sequence[int], norm: str) -> BasicUNet:
    """Build MONAI's `BasicUNet` for a data set.

    Falk et al., "U-Net: deep learning for cell counting, detection, and morphometry" (2019).

    Args:
        facts: Facts of the data set: dimensions and channels.
        channels: Channels of the five levels, the first at full resolution, and of the last up-step.
        norm: "instance" or "batch".
    """
    return BasicUNet(
        spatial_dims=facts.spatial_dims,
        in_channels=facts.in_channels,
        out_channels=facts.labels.channels,
        features=tuple(channels),
        norm=(norm, {"affine": True}),
    )


def encode(net: BasicUNet, image: Tensor, at_level: AtLevel = lambda _, level: level) -> list[Tensor]:
    """Compute the five encoder maps of an image [B, C, *S] whose sizes are multiples of `STRIDE`, finest first."""
    maps: list[Tensor] = []
    for place, step in enumerate((net.conv_0, net.down_1, net.down_2, net.down_3, net.down_4)):
        maps.append(at_level(place, step(maps[-1] if maps else image)))
    return maps


def decode(net: BasicUNet, maps: Sequence[Tensor]) -> Tensor:
    """Compute the last feature map [B, C, *S] from the five encoder maps. `net.final_conv` makes it the logits."""
    feature = maps[-1]
    for step, skip in zip((net.upcat_4, net.upcat_3, net.upcat_2, net.upcat_1), maps[-2::-1], strict=True):
        feature = step(feature, skip)
    return feature
