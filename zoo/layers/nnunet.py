"""The decoder of nnU-Net."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, cat, nn

from zoo.encoders.nnunet import ConvBlock, NNUNetEncoder, start


class NNUNetDecoder(nn.Module):
    """Per stage a transposed convolution, the skip of the encoder, and plain convolutions.

    Args:
        encoder: The encoder whose maps are decoded.
        convs: Convolutions of each stage.
    """

    def __init__(self, encoder: NNUNetEncoder, convs: int) -> None:
        super().__init__()
        shape = encoder.stages
        up = nn.ConvTranspose2d if len(shape.strides[0]) == 2 else nn.ConvTranspose3d
        ups, stages = [], []
        for index in range(len(shape.features) - 1):
            width, kernel, stride = shape.features[index], shape.kernels[index], shape.strides[index + 1]
            ups.append(start(up(shape.features[index + 1], width, stride, stride)))  # type: ignore[arg-type]
            widths = [2 * width, *[width] * convs]
            ones = (1,) * len(kernel)
            stages.append(nn.Sequential(*(ConvBlock(into, width, kernel, ones) for into in widths[:-1])))
        self.ups, self.stages = nn.ModuleList(ups), nn.ModuleList(stages)

    def forward(self, maps: Sequence[Tensor]) -> list[Tensor]:
        """Compute the maps of all stages, finest first, from those of the encoder, finest first."""
        found = [maps[-1]]
        for index in reversed(range(len(self.ups))):
            found.insert(0, self.stages[index](cat([self.ups[index](found[0]), maps[index]], dim=1)))
        return found[:-1] or found
