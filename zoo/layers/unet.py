"""The plain U-Net: the vision-only baseline, and the network that the FiLM control modulates."""

from __future__ import annotations

from collections.abc import Sequence

from monai.networks.nets import BasicUNet

from zoo.data_facts import DataFacts

STRIDE = 16
"""Stride of the deepest of the five levels, relative to the image."""


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
