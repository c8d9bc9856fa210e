"""The sizes of MedNeXt, and its down path as a vision encoder. Its first map is at full resolution."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from monai.networks.nets import MedNeXt
from torch import Tensor, nn

from zoo.encoders.staged_encoder import StagedEncoder
from zoo.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Variant:
    """A size of MedNeXt: blocks and expansion ratios per level, the deepest last.

    Attributes:
        blocks: Blocks of each level.
        ratios: Channels inside a block, relative to its outside.
    """

    blocks: tuple[int, ...]
    ratios: tuple[int, ...]


VARIANTS = {
    "S": Variant((2, 2, 2, 2, 2), (2, 2, 2, 2, 2)),
    "B": Variant((2, 2, 2, 2, 2), (2, 3, 4, 4, 4)),
    "M": Variant((3, 4, 4, 4, 4), (2, 3, 4, 4, 4)),
    "L": Variant((3, 4, 8, 8, 8), (3, 4, 8, 8, 8)),
}
"""The published sizes. The levels of the decoder are those of the encoder in reverse."""


def build_mednext(
    variant: str, spatial_dims: int, in_channels: int, out_channels: int, width: int = 32, kernel: int = 3
) -> MedNeXt:
    """Build MONAI's MedNeXt with a head on every level of the decoder.

    Args:
        variant: A name of `VARIANTS`.
        spatial_dims: 2 or 3.
        in_channels: Channels of the image.
        out_channels: Channels of the logits.
        width: Channels of the first map.
        kernel: Size of the depthwise kernels, an odd number.

    Raises:
        ConfigError: There is no such variant, or the kernel is even.
    """
    if variant not in VARIANTS:
        raise ConfigError(f"--model.variant {variant}: MedNeXt has no such size.", f"Use {', '.join(VARIANTS)}.")
    if kernel < 1 or kernel % 2 == 0:
        raise ConfigError(f"--model.kernel {kernel}: a depthwise kernel has an odd size.", "Use 3 or 5.")
    size = VARIANTS[variant]
    return MedNeXt(
        spatial_dims,
        width,
        in_channels,
        out_channels,
        encoder_expansion_ratio=size.ratios[:-1],
        decoder_expansion_ratio=size.ratios[-2::-1],
        bottleneck_expansion_ratio=size.ratios[-1],
        kernel_size=kernel,
        deep_supervision=True,
        use_residual_connection=True,
        blocks_down=size.blocks[:-1],
        blocks_bottleneck=size.blocks[-1],
        blocks_up=size.blocks[-2::-1],
    )


class MedNeXtEncoder(StagedEncoder):
    """The down path of MedNeXt S with kernels of size 3, by MONAI.

    Roy et al., "MedNeXt: transformer-driven scaling of ConvNets for medical image segmentation" (MICCAI 2023).

    Args:
        spatial_dims: 2 or 3.
        in_channels: Channels of the image.
        width: Channels of the first map. Each of the four stages doubles them.
    """

    limits = "4 stages, the first map at full resolution"
    only_stages = 4
    stem_stride = 1

    def __init__(self, spatial_dims: int, in_channels: int, width: int) -> None:
        super().__init__()
        net = build_mednext("S", spatial_dims, in_channels, 1, width)
        self.widths = tuple(width * 2**level for level in range(5))
        self.first, self.down = net.stem, net.down_blocks
        self.levels = nn.ModuleList([*net.enc_stages, net.bottleneck])

    @classmethod
    def build(
        cls, spatial_dims: int, in_channels: int, width: int, stages: int, weights: str, network: str = ""
    ) -> Self:
        """See the base class."""
        return cls(spatial_dims, in_channels, width)

    def stem(self, image: Tensor) -> Tensor:
        """See the base class."""
        out: Tensor = self.levels[0](self.first(image))
        return out

    def stage(self, index: int, x: Tensor) -> Tensor:
        """See the base class."""
        out: Tensor = self.levels[index](self.down[index - 1](x))
        return out
