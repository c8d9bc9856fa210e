"""The Swin vision encoders of SwinUNETR and SwinUNETR-V2."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Self

from monai.networks.nets.swin_unetr import SwinTransformer
from torch import Tensor

from zoo.encoders.staged_encoder import StagedEncoder
from zoo.errors import ConfigError


class SwinEncoder(StagedEncoder):
    """The encoder of MONAI's SwinUNETR-V2.

    A patch embedding of stride 2 and Swin stages with merging. A residual convolution precedes each stage
    (`use_v2`).

    Args:
        spatial_dims: 2 or 3.
        in_channels: Channels of the image.
        width: Channels of the stem (48 in SwinUNETR).
        depths: Swin blocks per stage.
        heads: Attention heads per stage.
        window: Size of an attention window on every axis.
        checkpoint: Recompute activations in the backward pass, to save memory.

    Raises:
        ConfigError: The attention heads do not divide the width.
    """

    limits = "4 stages"
    only_stages = 4
    convolutions: ClassVar[bool] = True

    def __init__(
        self,
        spatial_dims: int,
        in_channels: int,
        width: int = 48,
        depths: Sequence[int] = (2, 2, 2, 2),
        heads: Sequence[int] = (3, 6, 12, 24),
        window: int = 7,
        checkpoint: bool = True,
    ) -> None:
        super().__init__()
        if width < 1 or width % heads[0]:
            raise ConfigError(
                f"--model.width {width}: the {heads[0]} attention heads of the first Swin stage do not divide it.",
                f"Give a multiple of {heads[0]}, such as 24 or 48.",
            )
        self.widths = tuple(width * 2**i for i in range(len(depths) + 1))
        self.swin = SwinTransformer(
            in_chans=in_channels,
            embed_dim=width,
            window_size=[window] * spatial_dims,
            patch_size=[2] * spatial_dims,
            depths=tuple(depths),
            num_heads=tuple(heads),
            use_checkpoint=checkpoint,
            spatial_dims=spatial_dims,
            use_v2=self.convolutions,
        )

    @classmethod
    def build(
        cls, spatial_dims: int, in_channels: int, width: int, stages: int, weights: str, network: str = ""
    ) -> Self:
        """See the base class."""
        return cls(spatial_dims, in_channels, width)

    def stem(self, image: Tensor) -> Tensor:
        """See the base class."""
        out: Tensor = self.swin.pos_drop(self.swin.patch_embed(image))
        return out

    def stage(self, index: int, x: Tensor) -> Tensor:
        """See the base class."""
        if self.convolutions:
            x = getattr(self.swin, f"layers{index}c")[0](x.contiguous())
        out: Tensor = getattr(self.swin, f"layers{index}")[0](x.contiguous())
        return out


class PlainSwinEncoder(SwinEncoder):
    """The encoder of MONAI's SwinUNETR: no convolution precedes a stage."""

    convolutions: ClassVar[bool] = False
