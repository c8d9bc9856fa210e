"""The U-shaped decoder of SwinUNETR, of any depth, for the maps of a staged encoder."""

from __future__ import annotations

from collections.abc import Sequence

from monai.networks.blocks import UnetrBasicBlock, UnetResBlock, UnetrUpBlock
from torch import Tensor, nn

from zoo.encoders.staged_encoder import StagedEncoder


class UDecoder(nn.Module):
    """Residual blocks on the skips, transposed convolutions upwards, a 1x1 head.

    As in SwinUNETR, the deepest skip has no block.

    Args:
        spatial_dims: 2 or 3.
        in_channels: Channels of the image, which is the skip at full resolution.
        encoder: The encoder whose maps are decoded. A first map at full resolution is the skip in place of the image.
        out_channels: Channels of the logits.
        full_width: Channels at full resolution, which takes most of the time; None: as many as the stem has.
    """

    def __init__(
        self,
        spatial_dims: int,
        in_channels: int,
        encoder: StagedEncoder,
        out_channels: int,
        full_width: int | None = None,
    ) -> None:
        super().__init__()
        self.full_first = encoder.stem_stride == 1
        full = full_width or encoder.widths[0]
        widths = encoder.widths[1:] if self.full_first else encoder.widths

        def block(channels_in: int, channels_out: int) -> nn.Module:
            made: nn.Module = UnetrBasicBlock(
                spatial_dims, channels_in, channels_out, kernel_size=3, stride=1, norm_name="instance", res_block=True
            )
            return made

        self.full_skip = block(encoder.widths[0] if self.full_first else in_channels, full)
        skips = [*(block(width, width) for width in widths[:-2]), nn.Identity()]
        self.skips = nn.ModuleList(skips[: len(widths) - 1])
        self.bottleneck = UnetResBlock(
            spatial_dims, widths[-1], widths[-1], kernel_size=3, stride=1, norm_name="instance"
        )
        outputs = (full, *widths[:-1])
        factors = (2 if self.full_first else encoder.stem_stride, *[2] * (len(widths) - 1))
        self.ups = nn.ModuleList(
            UnetrUpBlock(
                spatial_dims,
                width,
                out,
                kernel_size=3,
                upsample_kernel_size=factor,
                norm_name="instance",
                res_block=True,
            )
            for width, out, factor in zip(widths, outputs, factors, strict=True)
        )
        conv = nn.Conv2d if spatial_dims == 2 else nn.Conv3d
        self.head = conv(full, out_channels, kernel_size=1)

    def forward(self, image: Tensor, maps: Sequence[Tensor]) -> Tensor:
        """Compute the logits at full resolution from the image and the maps of stem and stages."""
        if self.full_first:
            image, *maps = maps
        x = self.bottleneck(maps[-1])
        skips = [skip(m) for skip, m in zip(self.skips, maps[:-1], strict=True)]
        for up, skip in zip(reversed(self.ups), [*reversed(skips), self.full_skip(image)], strict=True):
            x = up(x, skip)
        logits: Tensor = self.head(x)
        return logits
