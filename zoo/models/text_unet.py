"""`TextUNet`, the base class of the text-guided controls: a text encoder beside the network of the model `unet`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from zoo.encoders.text import build_text_encoder
from zoo.layers.unet import plain_unet
from zoo.models.base import SegModule


class TextUNet(SegModule):
    """A text encoder and MONAI's U-Net. A control defines how the one reaches the other.

    Args:
        facts: See `SegModule`.
        encoder: Text encoder by name or folder.
        freeze_text: Freeze the text encoder. None keeps the encoder's own default.
        channels: Channels of the five levels, the first at full resolution, and of the last up-step.
        norm: "instance" or "batch".
        **kwargs: See `SegModule`.
    """

    def __init__(
        self,
        facts: Mapping[str, Any],
        encoder: str = "pubmedbert",
        freeze_text: bool | None = None,
        channels: Sequence[int] = (32, 32, 64, 128, 256, 32),
        norm: str = "instance",
        **kwargs: Any,
    ) -> None:
        super().__init__(facts, **kwargs)
        self.channels = tuple(channels)
        self.text = build_text_encoder(encoder, freeze_text)
        self.net = plain_unet(self.facts, channels, norm)
