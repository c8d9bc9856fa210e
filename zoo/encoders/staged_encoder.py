"""`StagedEncoder`, the base class of the vision encoders. A model can insert text between the stages."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, Self

from torch import Tensor, nn


class StagedEncoder(nn.Module, ABC):
    """A stem and stages. Each stage halves the grid.

    Attributes:
        limits: What the encoder supports, for the error text of `build_vision_encoder`.
        widths: Channels of the stem and of every stage.
        stem_stride: Stride of the stem, relative to the image.

    Example:
        >>> import torch
        >>> from zoo.encoders import build_vision_encoder
        >>> encoder = build_vision_encoder("conv", spatial_dims=2, in_channels=1, width=8, stages=2)
        >>> [tuple(one.shape[1:]) for one in encoder(torch.zeros(1, 1, 32, 32))]
        [(8, 16, 16), (16, 8, 8), (32, 4, 4)]
    """

    limits: ClassVar[str]
    widths: tuple[int, ...]
    stem_stride: int = 2

    @classmethod
    @abstractmethod
    def supports(cls, spatial_dims: int, stages: int, weights: str) -> bool:
        """Whether the encoder exists in this dimension, with this number of stages and with these weights."""

    @classmethod
    @abstractmethod
    def build(cls, spatial_dims: int, in_channels: int, width: int, stages: int, weights: str) -> Self:
        """Build the encoder from the arguments of `build_vision_encoder`, which `supports` has accepted."""

    @property
    def stride(self) -> int:
        """Stride of the last stage, relative to the image."""
        return int(self.stem_stride * 2 ** (len(self.widths) - 1))

    @abstractmethod
    def stem(self, image: Tensor) -> Tensor:
        """Run the stem: [B, C, *S] -> [B, widths[0], *S/stem_stride]."""

    @abstractmethod
    def stage(self, index: int, x: Tensor) -> Tensor:
        """Run stage 1..n: [B, widths[index-1], *S] -> [B, widths[index], *S/2]."""

    def forward(self, image: Tensor) -> list[Tensor]:
        """Compute the maps of stem and stages, finest first. S is a multiple of `stride`."""
        maps = [self.stem(image)]
        for index in range(1, len(self.widths)):
            maps.append(self.stage(index, maps[-1]))
        return maps
