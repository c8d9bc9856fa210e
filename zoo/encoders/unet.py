"""The down path of the plain U-Net as a vision encoder. Its first map is at full resolution."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

from monai.networks.nets.basic_unet import Down, TwoConv
from torch import Tensor

from zoo.encoders.staged_encoder import StagedEncoder

ACTIVATION = ("LeakyReLU", {"negative_slope": 0.1, "inplace": True})
"""Activation of MONAI's `BasicUNet`."""


class UNetEncoder(StagedEncoder):
    """Two convolutions per level, and max pooling between levels: the down path of MONAI's `BasicUNet`.

    Falk et al., "U-Net: deep learning for cell counting, detection, and morphometry" (2019).

    Args:
        spatial_dims: 2 or 3.
        in_channels: Channels of the image.
        widths: Channels of every level, the first at full resolution.
        norm: "instance" or "batch".
    """

    limits = "any number of stages, the first map at full resolution"
    stem_stride = 1

    def __init__(self, spatial_dims: int, in_channels: int, widths: Sequence[int], norm: str = "instance") -> None:
        super().__init__()
        self.widths = tuple(widths)
        style = (ACTIVATION, (norm, {"affine": True}), True)
        self.conv_0 = TwoConv(spatial_dims, in_channels, self.widths[0], *style)
        for index in range(1, len(self.widths)):
            self.add_module(f"down_{index}", Down(spatial_dims, *self.widths[index - 1 : index + 1], *style))

    @classmethod
    def build(
        cls, spatial_dims: int, in_channels: int, width: int, stages: int, weights: str, network: str = ""
    ) -> Self:
        """See the base class."""
        return cls(spatial_dims, in_channels, [width * 2**i for i in range(stages + 1)])

    def stem(self, image: Tensor) -> Tensor:
        """See the base class."""
        out: Tensor = self.conv_0(image)
        return out

    def stage(self, index: int, x: Tensor) -> Tensor:
        """See the base class."""
        out: Tensor = getattr(self, f"down_{index}")(x)
        return out
