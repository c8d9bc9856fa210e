"""Attention U-Net: a U-Net whose skips are gated by the map below. It does not read the text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from monai.networks import nets
from monai.networks.nets.attentionunet import ConvBlock
from torch import nn

from zoo.models.vision_only import VisionOnly


class AttentionUNet(VisionOnly):
    """Oktay et al., "Attention U-Net: learning where to look for the pancreas" (2018), by MONAI.

    Args:
        facts: See `VisionOnly`.
        channels: Channels of the levels, the first at full resolution.
        **kwargs: See `VisionOnly`.

    Example:
        >>> import torch
        >>> from zoo import make_facts
        >>> from zoo.types import Text
        >>> model = AttentionUNet(make_facts(["lesion"], patch=[32, 32]), channels=(4, 8, 8))
        >>> tuple(model(torch.zeros(2, 1, 32, 32), Text(model.facts.prompts)).shape)
        (2, 1, 32, 32)
    """

    def __init__(
        self, facts: Mapping[str, Any], channels: Sequence[int] = (64, 128, 256, 512, 1024), **kwargs: Any
    ) -> None:
        super().__init__(facts, **kwargs)
        self.net = nets.AttentionUnet(
            self.facts.spatial_dims,
            self.facts.in_channels,
            self.facts.labels.channels,
            channels=tuple(channels),
            strides=(2,) * (len(channels) - 1),
        )
        self.widest = channels[-1]
        self.stride = 2 ** (len(channels) - 1)

    def deepest_map(self) -> tuple[nn.Module, int]:
        """See the base class."""
        *_, deepest = (part for part in self.net.modules() if isinstance(part, ConvBlock))
        return deepest, self.widest
