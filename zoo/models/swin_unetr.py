"""SwinUNETR and SwinUNETR-V2: a Swin encoder and a convolutional decoder, which do not read the text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from monai.networks import nets
from torch import nn

from zoo.errors import ConfigError
from zoo.models.vision_only import VisionOnly

WIDTH_STEP = 12
"""MONAI takes multiples of it as the width."""


class SwinUNETR(VisionOnly):
    """Hatamizadeh et al., "Swin UNETR" (2021), and He et al., "SwinUNETR-V2" (MICCAI 2023), by MONAI.

    Args:
        facts: See `VisionOnly`.
        width: Channels of the first map, a multiple of 12. Each of the four stages doubles them.
        convolutions: A residual convolution precedes each stage, as in SwinUNETR-V2.
        window: Size of an attention window on every axis. Its memory grows with the power of the dimensions.
        checkpoint: Compute the Swin blocks again in the backward pass, to save memory.
        **kwargs: See `VisionOnly`.

    Raises:
        ConfigError: `width` is no multiple of 12.

    Example:
        >>> import torch
        >>> from zoo import make_facts
        >>> from zoo.types import Text
        >>> model = SwinUNETR(make_facts(["lesion"], patch=[32, 32]), width=12)
        >>> tuple(model(torch.zeros(2, 1, 32, 32), Text(model.facts.prompts)).shape)
        (2, 1, 32, 32)
    """

    stride = 32

    def __init__(
        self,
        facts: Mapping[str, Any],
        width: int = 48,
        convolutions: bool = False,
        window: int = 7,
        checkpoint: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(facts, **kwargs)
        if width < 1 or width % WIDTH_STEP:
            raise ConfigError(f"--model.width {width} is not a multiple of {WIDTH_STEP}.", "Give 12, 24, 36, 48, ...")
        self.widest = 16 * width
        self.net = nets.SwinUNETR(
            self.facts.in_channels,
            self.facts.labels.channels,
            feature_size=width,
            window_size=window,
            spatial_dims=self.facts.spatial_dims,
            use_v2=convolutions,
            use_checkpoint=checkpoint,
        )

    def deepest_map(self) -> tuple[nn.Module, int]:
        """See the base class."""
        return self.net.encoder10, self.widest
