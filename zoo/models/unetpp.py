"""UNet++: a U-Net with nested skips and a head on each of them. It does not read the text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from monai.networks import nets
from torch import Tensor, nn

from zoo.layers.tokens import crop_to
from zoo.models.output import Output
from zoo.models.vision_only import VisionOnly
from zoo.types import Batch, Text


class UNetPlusPlus(VisionOnly):
    """Zhou et al., "UNet++: a nested U-Net architecture for medical image segmentation" (2018), by MONAI.

    The four nodes at full resolution have a head each. Training averages the losses of the four heads, so that no head
    is without a gradient. The logits are those of the last head.

    Args:
        facts: See `VisionOnly`.
        channels: Channels of the five levels, the first at full resolution, and of the last node.
        **kwargs: See `VisionOnly`.

    Example:
        >>> import torch
        >>> from zoo import make_facts
        >>> model = UNetPlusPlus(make_facts(["lesion"], patch=[32, 32]), channels=(4, 4, 4, 4, 4, 4))
        >>> tuple(model(torch.zeros(2, 1, 32, 32), Text(model.facts.prompts)).shape)
        (2, 1, 32, 32)
    """

    stride = 16

    def __init__(
        self, facts: Mapping[str, Any], channels: Sequence[int] = (32, 32, 64, 128, 256, 32), **kwargs: Any
    ) -> None:
        super().__init__(facts, **kwargs)
        self.widest = channels[4]
        self.net = nets.BasicUNetPlusPlus(
            self.facts.spatial_dims,
            self.facts.in_channels,
            self.facts.labels.channels,
            features=tuple(channels),
            deep_supervision=True,
        )

    def deepest_map(self) -> tuple[nn.Module, int]:
        """See the base class."""
        return self.net.conv_4_0, self.widest

    def forward_features(self, image: Tensor, text: Text) -> Output:
        """Compute the logits; `extra["earlier"]` has those of the three earlier heads, at the same resolution."""
        heads = [crop_to(one, image.shape[2:]) for one in self.net(self.pad(image))]
        return Output(heads[-1], {"earlier": heads[:-1]})

    def segmentation_losses(self, batch: Batch, output: Output) -> dict[str, Tensor]:
        """Compute Dice and cross entropy, each the mean over the four heads."""
        terms = [self.segmentation_loss(one, batch["label"]) for one in (*output.extra["earlier"], output.logits)]
        return {name: torch.stack([one[name] for one in terms]).mean() for name in terms[0]}
