"""U-Net: the vision-only baseline, MONAI's residual U-Net. It never looks at the text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from monai.networks.nets import UNet as MonaiUNet
from torch import Tensor

from zoo.module import Features, SegModule
from zoo.nn.grid import crop_to, pad_to_stride
from zoo.types import Text


class UNet(SegModule):
    """Kerfoot et al., "Left-ventricle quantification using residual U-Net" (2018), by MONAI.

    Args:
        facts: See `SegModule`.
        channels: Channels a level; the first level has stride 2.
        residual_units: Residual units a level.
        **kwargs: See `SegModule`.
    """

    def __init__(
        self,
        facts: Mapping[str, Any],
        channels: Sequence[int] = (32, 64, 128, 256, 512),
        residual_units: int = 2,
        **kwargs: Any,
    ) -> None:
        super().__init__(facts, **kwargs)
        self.stride = 2 ** (len(channels) - 1)
        self.net = MonaiUNet(
            spatial_dims=self.facts.spatial_dims,
            in_channels=self.facts.in_channels,
            out_channels=self.facts.labels.channels,
            channels=tuple(channels),
            strides=(2,) * (len(channels) - 1),
            num_res_units=residual_units,
            norm="INSTANCE",
        )

    def encode(self, image: Tensor, text: Text) -> Features:
        """Logits alone."""
        padded = pad_to_stride(image, self.stride)
        return {"logits": crop_to(self.net(padded), image.shape[2:])}
