"""U-Net: the vision-only baseline, which does not read the text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from zoo.layers.tokens import crop_to, pad_to_two_places
from zoo.layers.unet import STRIDE, plain_unet
from zoo.models.base import SegModule
from zoo.models.output import Output
from zoo.types import Text


class UNet(SegModule):
    """Falk et al., "U-Net: deep learning for cell counting, detection, and morphometry" (2019), by MONAI.

    Args:
        facts: See `SegModule`.
        channels: Channels of the five levels, the first at full resolution, and of the last up-step.
        norm: "instance" or "batch".
        **kwargs: See `SegModule`.

    Example:
        >>> import torch
        >>> from zoo import make_facts
        >>> model = UNet(make_facts(["lesion"], patch=[32, 32]), channels=(8, 8, 8, 8, 8, 8))
        >>> tuple(model(torch.zeros(2, 1, 32, 32), Text(model.facts.prompts)).shape)
        (2, 1, 32, 32)
    """

    def __init__(
        self,
        facts: Mapping[str, Any],
        channels: Sequence[int] = (32, 32, 64, 128, 256, 32),
        norm: str = "instance",
        **kwargs: Any,
    ) -> None:
        super().__init__(facts, **kwargs)
        self.net = plain_unet(self.facts, channels, norm)

    def forward_features(self, image: Tensor, text: Text) -> Output:
        """Compute the logits. The losses need no other value."""
        return Output(crop_to(self.net(pad_to_two_places(image, STRIDE)), image.shape[2:]))
