"""The down path of SegResNet as a vision encoder. Its first map is at full resolution."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

from monai.networks.nets import SegResNet
from torch import Tensor

from zoo.encoders.staged_encoder import StagedEncoder
from zoo.errors import ConfigError

BLOCKS = (1, 2, 2, 4)
"""Residual blocks of each level, as published; further levels have as many as the last."""

GROUPS = 8
"""Groups of the group norm."""


def check_width(width: int) -> None:
    """Check that the group norm can divide the first map.

    Raises:
        ConfigError: It cannot.
    """
    if width < 1 or width % GROUPS:
        raise ConfigError(
            f"--model.width {width}: the group norm of SegResNet has {GROUPS} groups.", f"Give {GROUPS}, 16, 24, ..."
        )


class SegResNetEncoder(StagedEncoder):
    """Residual blocks with group norm per level, and strided convolutions between levels, by MONAI.

    Myronenko, "3D MRI brain tumor segmentation using autoencoder regularization" (2018).

    Args:
        spatial_dims: 2 or 3.
        in_channels: Channels of the image.
        width: Channels of the first map, a multiple of 8.
        blocks: Residual blocks of each level.

    Raises:
        ConfigError: See `check_width`.
    """

    limits = "any number of stages, the first map at full resolution"
    stem_stride = 1

    def __init__(self, spatial_dims: int, in_channels: int, width: int, blocks: Sequence[int] = BLOCKS) -> None:
        super().__init__()
        check_width(width)
        net = SegResNet(spatial_dims, width, in_channels, blocks_down=tuple(blocks), blocks_up=())
        self.widths = tuple(width * 2**level for level in range(len(blocks)))
        self.first, self.levels = net.convInit, net.down_layers

    @classmethod
    def build(
        cls, spatial_dims: int, in_channels: int, width: int, stages: int, weights: str, network: str = ""
    ) -> Self:
        """See the base class."""
        return cls(spatial_dims, in_channels, width, [BLOCKS[min(level, 3)] for level in range(stages + 1)])

    def stem(self, image: Tensor) -> Tensor:
        """See the base class."""
        out: Tensor = self.levels[0](self.first(image))
        return out

    def stage(self, index: int, x: Tensor) -> Tensor:
        """See the base class."""
        out: Tensor = self.levels[index](x)
        return out
