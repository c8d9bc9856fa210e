"""The encoders of nnU-Net: stages of plain convolutions or of residual blocks, with any stride and kernel per axis."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from torch import Tensor, nn

from zoo.encoders.staged_encoder import StagedEncoder
from zoo.errors import ConfigError
from zoo.planner.presets import FEATURES, MOST_FEATURES

SLOPE = 0.01
"""Negative slope of the activation."""

Steps = tuple[tuple[int, ...], ...]
"""One number per stage and axis."""


@dataclass(frozen=True, slots=True)
class Stages:
    """The shape of a network of nnU-Net. All values begin at full resolution.

    Attributes:
        features: Features of each stage.
        strides: Stride of each stage per axis; 1 in the first stage.
        kernels: Kernel of each stage per axis, odd.
        blocks: Convolutions, or residual blocks, of each stage.

    Raises:
        ConfigError: The values are not one per stage, or a stride or a kernel is not as above.
    """

    features: tuple[int, ...]
    strides: Steps
    kernels: Steps
    blocks: tuple[int, ...]

    def __post_init__(self) -> None:
        for name in ("strides", "kernels", "blocks"):
            found, wanted = len(getattr(self, name)), len(self.features)
            if found != wanted:
                raise ConfigError(
                    f"--model.{name} has {found} stages, and --model.features has {wanted}.",
                    "Give one entry per stage.",
                )
        axes = len(self.strides[0])
        if any(len(stage) != axes or min(stage) < 1 for stage in (*self.strides, *self.kernels)):
            raise ConfigError("--model.strides and --model.kernels: a stage has no number per axis.", _EXAMPLE)
        if max(self.strides[0]) > 1 or any(size % 2 == 0 for stage in self.kernels for size in stage):
            raise ConfigError(
                "--model.strides begins with 1 on each axis, and --model.kernels has odd numbers only.", _EXAMPLE
            )
        if min(*self.features, *self.blocks) < 1:
            raise ConfigError("--model.features and --model.blocks are whole numbers from 1.", _EXAMPLE)

    @property
    def divisor(self) -> tuple[int, ...]:
        """The stride of the last stage per axis, relative to the image."""
        return tuple(math.prod(axis) for axis in zip(*self.strides, strict=True))


_EXAMPLE = "Example: --model.strides '[[1,1,1],[1,2,2]]' --model.kernels '[[1,3,3],[3,3,3]]' for two stages in 3D."


def make_stages(
    spatial_dims: int,
    features: Sequence[int] | None = None,
    strides: Sequence[Sequence[int]] | None = None,
    kernels: Sequence[Sequence[int]] | None = None,
    blocks: Sequence[int] = (2,),
) -> Stages:
    """Make the stages of a network; what is None is that of nnU-Net for cubes.

    Args:
        spatial_dims: 2 or 3.
        features: See `Stages`. None: 32, doubled per stage up to `MOST_FEATURES`; 7 stages in 2D, 6 in 3D.
        strides: See `Stages`. None: 2 on each axis, after the first stage.
        kernels: See `Stages`. None: 3 on each axis.
        blocks: See `Stages`. The last number holds for all further stages; numbers for stages that
            there are not are left out.

    Example:
        >>> make_stages(2, [8, 16]).strides
        ((1, 1), (2, 2))
    """
    chosen = doubled(FEATURES, {2: 6, 3: 5}[spatial_dims], spatial_dims) if features is None else tuple(features)
    count = len(chosen)
    steps = [[1] * spatial_dims, *[[2] * spatial_dims] * (count - 1)] if strides is None else strides
    sizes = [[3] * spatial_dims] * count if kernels is None else kernels
    more = [*blocks, *[blocks[-1]] * (count - len(blocks))][:count]
    found = Stages(chosen, tuple(map(tuple, steps)), tuple(map(tuple, sizes)), tuple(more))
    if len(found.strides[0]) != spatial_dims:
        raise ConfigError(f"--model.strides is not of {spatial_dims} axes.", "Give one number per image axis.")
    return found


def doubled(width: int, stages: int, spatial_dims: int) -> tuple[int, ...]:
    """Return the features of a first map and of some stages after it, doubled per stage up to `MOST_FEATURES`."""
    return tuple(min(width * 2**stage, max(width, MOST_FEATURES[spatial_dims])) for stage in range(stages + 1))


_KINDS: dict[int, tuple[Any, Any, Any]] = {
    2: (nn.Conv2d, nn.InstanceNorm2d, nn.AvgPool2d),
    3: (nn.Conv3d, nn.InstanceNorm3d, nn.AvgPool3d),
}


def start(conv: nn.Module) -> nn.Module:
    """Give a convolution the start of nnU-Net: He et al. for its weight, 0 for its bias."""
    nn.init.kaiming_normal_(conv.weight, a=SLOPE)  # type: ignore[arg-type]
    if conv.bias is not None:
        nn.init.zeros_(conv.bias)  # type: ignore[arg-type]
    return conv


class ConvBlock(nn.Sequential):
    """A convolution, instance norm and, if `active`, leaky ReLU.

    Args:
        into: Channels of the input.
        out: Channels of the output.
        kernel: Kernel per axis, odd.
        stride: Stride per axis.
        bias: Whether the convolution has a bias.
        active: Whether an activation follows.
    """

    def __init__(
        self, into: int, out: int, kernel: Sequence[int], stride: Sequence[int], bias: bool = True, active: bool = True
    ) -> None:
        kinds: tuple[Any, Any] = _KINDS[len(kernel)][:2]
        padding = tuple(size // 2 for size in kernel)
        conv = kinds[0](into, out, tuple(kernel), tuple(stride), padding, bias=bias)
        super().__init__(start(conv), kinds[1](out, affine=True))
        if active:
            self.append(nn.LeakyReLU(SLOPE, inplace=True))


class ResidualBlock(nn.Module):
    """Two convolutions beside a skip: average pooling where there is a stride, and a projection to other channels.

    The last norm starts at zero, so that the block starts as its skip.

    Args:
        into: Channels of the input.
        out: Channels of the output.
        kernel: Kernel per axis, odd.
        stride: Stride per axis.
    """

    def __init__(self, into: int, out: int, kernel: Sequence[int], stride: Sequence[int]) -> None:
        super().__init__()
        ones = (1,) * len(kernel)
        last = ConvBlock(out, out, kernel, ones, active=False)
        self.convs = nn.Sequential(ConvBlock(into, out, kernel, stride), last)
        norm: Any = last[1]
        nn.init.zeros_(norm.weight)
        nn.init.zeros_(norm.bias)
        self.skip = nn.Sequential()
        if max(stride) > 1:
            self.skip.append(_KINDS[len(kernel)][2](tuple(stride), tuple(stride)))
        if into != out:
            self.skip.append(ConvBlock(into, out, ones, ones, bias=False, active=False))
        self.active = nn.LeakyReLU(SLOPE, inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        """Compute a map [B, out, *S/stride] of a map [B, into, *S]."""
        out: Tensor = self.active(self.convs(x) + self.skip(x))
        return out


class NNUNetEncoder(StagedEncoder):
    """The encoder of nnU-Net: each stage begins with a strided convolution.

    Isensee et al., "nnU-Net: a self-configuring method for deep learning-based biomedical image segmentation" (Nature
    Methods 2021).

    Args:
        in_channels: Channels of the image.
        stages: The shape of the network.
    """

    limits = "any number of stages, the first map at full resolution"
    stem_stride = 1
    default_blocks: ClassVar[tuple[int, ...]] = (2,)

    def __init__(self, in_channels: int, stages: Stages) -> None:
        super().__init__()
        self.stages = stages
        self.widths = stages.features
        into = in_channels
        for index, out in enumerate(stages.features):
            self.add_module(f"stage_{index}", self.build_stage(index, into, out))
            into = out

    def build_stage(self, index: int, into: int, out: int) -> nn.Sequential:
        """Build a stage; a later block of it has stride 1."""
        kernel, stride = self.stages.kernels[index], self.stages.strides[index]
        first = self.build_block(into, out, kernel, stride)
        more = self.stages.blocks[index] - 1
        return nn.Sequential(first, *(self.build_block(out, out, kernel, (1,) * len(kernel)) for _ in range(more)))

    def build_block(self, into: int, out: int, kernel: Sequence[int], stride: Sequence[int]) -> nn.Module:
        """Build one block of a stage."""
        return ConvBlock(into, out, kernel, stride)

    @classmethod
    def build(
        cls, spatial_dims: int, in_channels: int, width: int, stages: int, weights: str, network: str = ""
    ) -> Self:
        """See the base class."""
        features = doubled(width, stages, spatial_dims)
        return cls(in_channels, make_stages(spatial_dims, features, blocks=cls.default_blocks))

    @property
    def divisor(self) -> tuple[int, ...]:
        """Stride of the last stage per axis, relative to the image; `stride` is for equal axes."""
        return self.stages.divisor

    def stem(self, image: Tensor) -> Tensor:
        """See the base class."""
        return self.stage(0, image)

    def stage(self, index: int, x: Tensor) -> Tensor:
        """See the base class."""
        out: Tensor = getattr(self, f"stage_{index}")(x)
        return out


class ResidualEncoder(NNUNetEncoder):
    """The residual encoder of nnU-Net: a convolution, then stages of residual blocks.

    Isensee et al., "nnU-Net Revisited: a call for rigorous validation in 3D medical image segmentation" (MICCAI 2024).
    """

    default_blocks: ClassVar[tuple[int, ...]] = (1, 3, 4, 6)

    def __init__(self, in_channels: int, stages: Stages) -> None:
        super().__init__(stages.features[0], stages)
        kernel = stages.kernels[0]
        self.first = ConvBlock(in_channels, stages.features[0], kernel, (1,) * len(kernel))

    def build_block(self, into: int, out: int, kernel: Sequence[int], stride: Sequence[int]) -> nn.Module:
        """Build one residual block."""
        return ResidualBlock(into, out, kernel, stride)

    def stem(self, image: Tensor) -> Tensor:
        """See the base class."""
        return self.stage(0, self.first(image))
