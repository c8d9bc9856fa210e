"""`StagedEncoder`, the base class of the vision encoders. A model can insert text between the stages."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import ClassVar, Self

from torch import Tensor, nn

from zoo.errors import ConfigError

AtLevel = Callable[[int, Tensor], Tensor]
"""Changes the map [B, C, *S] of level 0 (the stem), 1, ... before the next stage reads it."""

ATTENTION_STRIDE = 4
"""Smallest stride of a map whose places attend to each other. Finer maps have too many places."""


class VisionEncoder(nn.Module):
    """A vision network. Tables count its parameters apart, and a run records its pre-trained weights."""


def find_vision_encoders(module: nn.Module) -> list[VisionEncoder]:
    """Return the vision encoders of a model; empty where its network has no encoder of its own."""
    return [part for part in module.modules() if isinstance(part, VisionEncoder)]


class StagedEncoder(VisionEncoder, ABC):
    """A stem and stages. Each stage halves the grid.

    Attributes:
        limits: What the encoder supports, for the error text of `build_vision_encoder`.
        only_stages: The only number of stages that the encoder has; None for any number.
        widths: Channels of the stem and of every stage.
        stem_stride: Stride of the stem, relative to the image: a power of two.

    Example:
        >>> import torch
        >>> from zoo.encoders import build_vision_encoder
        >>> encoder = build_vision_encoder("conv", spatial_dims=2, in_channels=1, width=8, stages=2)
        >>> [tuple(one.shape[1:]) for one in encoder(torch.zeros(1, 1, 32, 32))]
        [(8, 16, 16), (16, 8, 8), (32, 4, 4)]
    """

    limits: ClassVar[str]
    only_stages: ClassVar[int | None] = None
    widths: tuple[int, ...]
    stem_stride: int = 2

    @classmethod
    def supports(cls, spatial_dims: int, stages: int, weights: str) -> bool:
        """Whether the encoder exists in this dimension, with this number of stages and with these weights.

        By default it has no weights, and any number of stages or `only_stages`.
        """
        return not weights and cls.only_stages in (None, stages)

    @classmethod
    @abstractmethod
    def build(
        cls, spatial_dims: int, in_channels: int, width: int, stages: int, weights: str, network: str = ""
    ) -> Self:
        """Build the encoder from the arguments of `build_vision_encoder`, which `supports` has accepted.

        `network` is the part of the name after a colon.
        """

    @property
    def stride(self) -> int:
        """Stride of the last stage, relative to the image."""
        return int(self.stem_stride * 2 ** (len(self.widths) - 1))

    @property
    def text_levels(self) -> tuple[int, ...]:
        """Indices of the stages whose map can attend to a text: those with a stride of `ATTENTION_STRIDE` or more.

        Raises:
            ConfigError: There is none.
        """
        levels = tuple(i for i in range(1, len(self.widths)) if self.stem_stride * 2**i >= ATTENTION_STRIDE)
        if not levels:
            raise ConfigError(
                f"--model.stages {len(self.widths) - 1}: the deepest map of the vision encoder has the stride "
                f"{self.stride}, and text needs a map after the first one of stride {ATTENTION_STRIDE} or more.",
                "Give more --model.stages.",
            )
        return levels

    @abstractmethod
    def stem(self, image: Tensor) -> Tensor:
        """Run the stem: [B, C, *S] -> [B, widths[0], *S/stem_stride]."""

    @abstractmethod
    def stage(self, index: int, x: Tensor) -> Tensor:
        """Run stage 1..n: [B, widths[index-1], *S] -> [B, widths[index], *S/2]."""

    def forward(self, image: Tensor, at_level: AtLevel = lambda _, level: level) -> list[Tensor]:
        """Compute the maps of stem and stages, finest first. S is a multiple of `stride`."""
        maps = [at_level(0, self.stem(image))]
        for index in range(1, len(self.widths)):
            maps.append(at_level(index, self.stage(index, maps[-1])))
        return maps
