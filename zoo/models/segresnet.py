"""SegResNet: a residual encoder with a light decoder, which does not read the text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from monai.networks import nets
from torch import nn

from zoo.encoders.segresnet import BLOCKS, GROUPS, check_width
from zoo.errors import ConfigError
from zoo.models.vision_only import VisionOnly


class SegResNet(VisionOnly):
    """Myronenko, "3D MRI brain tumor segmentation using autoencoder regularization" (2018), by MONAI.

    The variational autoencoder, which regularised the training, is left out, as in MONAI.

    Args:
        facts: See `VisionOnly`.
        width: Channels at full resolution, a multiple of 8. Each of the further levels doubles them.
        blocks_down: Residual blocks per level of the encoder.
        blocks_up: Residual blocks per level of the decoder.
        dropout: Share of channels that training sets to zero after the first convolution.
        **kwargs: See `VisionOnly`.

    Raises:
        ConfigError: `width` is no multiple of the groups of the group norm, or `blocks_up` has not one entry less than
            `blocks_down`.

    Example:
        >>> import torch
        >>> from zoo import make_facts
        >>> from zoo.types import Text
        >>> model = SegResNet(make_facts(["lesion"], patch=[32, 32]), width=8)
        >>> tuple(model(torch.zeros(2, 1, 32, 32), Text(model.facts.prompts)).shape)
        (2, 1, 32, 32)
    """

    def __init__(
        self,
        facts: Mapping[str, Any],
        width: int = 32,
        blocks_down: Sequence[int] = BLOCKS,
        blocks_up: Sequence[int] = (1, 1, 1),
        dropout: float = 0.2,
        **kwargs: Any,
    ) -> None:
        super().__init__(facts, **kwargs)
        check_width(width)
        if len(blocks_up) != len(blocks_down) - 1:
            raise ConfigError(
                f"--model.blocks_up has {len(blocks_up)} levels, and --model.blocks_down {len(blocks_down)}.",
                "The decoder has one level less than the encoder.",
            )
        self.net = nets.SegResNet(
            self.facts.spatial_dims,
            init_filters=width,
            in_channels=self.facts.in_channels,
            out_channels=self.facts.labels.channels,
            dropout_prob=dropout or None,
            norm=("group", {"num_groups": GROUPS}),
            blocks_down=tuple(blocks_down),
            blocks_up=tuple(blocks_up),
        )
        self.widest = width * 2 ** (len(blocks_down) - 1)
        self.stride = 2 ** (len(blocks_down) - 1)

    def deepest_map(self) -> tuple[nn.Module, int]:
        """See the base class."""
        return self.net.down_layers[-1], self.widest
