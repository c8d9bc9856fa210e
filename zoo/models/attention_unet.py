"""Attention U-Net: a U-Net whose skips are gated by the map below. It does not read the text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from monai.networks import nets

from zoo.models.vision_only import VisionOnly


class AttentionUNet(VisionOnly):
    """Oktay et al., "Attention U-Net: learning where to look for the pancreas" (2018), by MONAI.

    Args:
        facts: See `SegModule`.
        channels: Channels of the levels, the first at full resolution.
        **kwargs: See `SegModule`.

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
        self.stride = 2 ** (len(channels) - 1)
