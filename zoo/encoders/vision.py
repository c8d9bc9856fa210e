"""The vision encoders, and `build_vision_encoder`, which finds one by name.

A new encoder needs one file with a `StagedEncoder` and one line in `VISION_ENCODERS`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

from monai.networks.blocks import UnetResBlock
from monai.networks.nets.swin_unetr import SwinTransformer
from torch import Tensor, nn

from zoo.encoders.convnext import ConvNeXt
from zoo.encoders.staged_encoder import StagedEncoder
from zoo.errors import ConfigError


class ConvEncoder(StagedEncoder):
    """Residual convolution blocks: small enough for a CPU, and the convolutional choice.

    Args:
        spatial_dims: 2 or 3.
        in_channels: Of the image.
        width: Channels of the stem; doubled by every stage.
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
    def supports(cls, spatial_dims: int, stages: int, weights: str) -> bool:
        """See the base class."""
        return not weights

    @classmethod
    def build(cls, spatial_dims: int, in_channels: int, width: int, stages: int, weights: str) -> Self:
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


class SwinEncoder(StagedEncoder):
    """The encoder of MONAI's SwinUNETR-V2.

    A patch embedding of stride 2, then Swin stages with merging, a residual convolution in front of
    each (`use_v2`).

    Args:
        spatial_dims: 2 or 3.
        in_channels: Of the image.
        width: Channels of the stem (48 in SwinUNETR).
        depths: Swin blocks a stage.
        heads: Attention heads a stage.
        window: Size of an attention window on every axis.
        checkpoint: Recompute activations in the backward pass, for memory.
    """

    limits = "4"

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
            use_v2=True,
        )

    @classmethod
    def supports(cls, spatial_dims: int, stages: int, weights: str) -> bool:
        """See the base class."""
        return stages == 4 and not weights

    @classmethod
    def build(cls, spatial_dims: int, in_channels: int, width: int, stages: int, weights: str) -> Self:
        """See the base class."""
        return cls(spatial_dims, in_channels, width)

    def stem(self, image: Tensor) -> Tensor:
        """See the base class."""
        out: Tensor = self.swin.pos_drop(self.swin.patch_embed(image))
        return out

    def stage(self, index: int, x: Tensor) -> Tensor:
        """See the base class."""
        x = getattr(self.swin, f"layers{index}c")[0](x.contiguous())
        out: Tensor = getattr(self.swin, f"layers{index}")[0](x.contiguous())
        return out


class ConvNeXtEncoder(StagedEncoder):
    """ConvNeXt-T of the LanGuideMedSeg family, 2D: stem at stride 4, depths 3, 3, 9, 3.

    Liu et al., "A ConvNet for the 2020s" (CVPR 2022), in the implementation of transformers.

    Args:
        in_channels: Of the image; a gray image is repeated to three channels.
        width: Channels of the stem (96 in ConvNeXt-T).
        stages: Stages after the first (3 in ConvNeXt-T).
        weights: A folder or a hub repository of a ConvNeXt; empty for random weights.
    """

    limits = "2D, up to 3; the only one with weights"
    stem_stride = 4

    def __init__(self, in_channels: int, width: int, stages: int, weights: str = "") -> None:
        super().__init__()
        self.widths = tuple(width * 2**i for i in range(stages + 1))
        self.net = ConvNeXt(in_channels, self.widths, weights)

    @classmethod
    def supports(cls, spatial_dims: int, stages: int, weights: str) -> bool:
        """See the base class."""
        return stages <= 3 and spatial_dims == 2

    @classmethod
    def build(cls, spatial_dims: int, in_channels: int, width: int, stages: int, weights: str) -> Self:
        """See the base class."""
        return cls(in_channels, width, stages, weights)

    def stem(self, image: Tensor) -> Tensor:
        """See the base class."""
        out: Tensor = self.net.stages[0](self.net.embeddings(self.net.colour(image)))
        return out

    def stage(self, index: int, x: Tensor) -> Tensor:
        """See the base class."""
        out: Tensor = self.net.stages[index](x)
        return out


VISION_ENCODERS: dict[str, type[StagedEncoder]] = {
    "conv": ConvEncoder,
    "swin_v2": SwinEncoder,
    "convnext": ConvNeXtEncoder,
}


def build_vision_encoder(
    kind: str, spatial_dims: int, in_channels: int, width: int, stages: int, weights: str = ""
) -> StagedEncoder:
    """Build a vision encoder by its name in `VISION_ENCODERS`.

    Args:
        kind: "conv" (any number of stages), "swin_v2" (4 stages) or "convnext" (2D, up to 3 stages).
        spatial_dims: 2 or 3.
        in_channels: Channels of the image.
        width: Channels of the stem; doubled by every stage.
        stages: Number of stages after the stem.
        weights: Pre-trained weights of "convnext": a folder or a hub repository; empty for none.

    Raises:
        ConfigError: No such encoder in that dimension, with so many stages or with weights.
    """
    encoder = VISION_ENCODERS.get(kind)
    if encoder is None or not encoder.supports(spatial_dims, stages, weights):
        *most, last = [f"{name} ({found.limits})" for name, found in VISION_ENCODERS.items()]
        raise ConfigError(
            f"No vision encoder '{kind}' in {spatial_dims}D with {stages} stages{' and weights' if weights else ''}.",
            f"There are {', '.join(most)} and {last}.",
        )
    return encoder.build(spatial_dims, in_channels, width, stages, weights)
