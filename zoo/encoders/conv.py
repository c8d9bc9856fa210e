"""A convolutional vision encoder, small enough for a CPU."""

from __future__ import annotations

from typing import Self

from monai.networks.blocks import UnetResBlock
from torch import Tensor, nn

from zoo.encoders.staged_encoder import StagedEncoder


class ConvEncoder(StagedEncoder):
    """Residual convolution blocks of stride 2.

    Args:
        spatial_dims: 2 or 3.
        in_channels: Channels of the image.
        width: Channels of the stem. Every stage doubles them.
        stages: Number of stages after the stem.
    """

    limits = "any number of stages"

    def __init__(self, spatial_dims: int, in_channels: int, width: int, stages: int) -> None:
        super().__init__()
        self.widths = tuple(width * 2**i for i in range(stages + 1))
        channels = (in_channels, *self.widths)
        self.blocks = nn.ModuleList(
            UnetResBlock(spatial_dims, channels[i], channels[i + 1], kernel_size=3, stride=2, norm_name="instance")
            for i in range(stages + 1)
        )

    @classmethod
    def build(
        cls, spatial_dims: int, in_channels: int, width: int, stages: int, weights: str, network: str = ""
    ) -> Self:
        """See the base class."""
        return cls(spatial_dims, in_channels, width, stages)

    def stem(self, image: Tensor) -> Tensor:
        """See the base class."""
        out: Tensor = self.blocks[0](image)
        return out

    def stage(self, index: int, x: Tensor) -> Tensor:
        """See the base class."""
        out: Tensor = self.blocks[index](x)
        return out
