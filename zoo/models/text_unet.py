"""`TextUNet`, the base class of the text-guided controls: a text encoder beside the network of the model `unet`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from zoo.encoders.text import build_text_encoder
from zoo.layers.unet import build_unet, read_earlier_names
from zoo.models.base import SegModule


class TextUNet(SegModule):
    """A text encoder and the network of the model `unet`. A control defines how the one reaches the other.

    Args:
        facts: See `SegModule`.
        encoder: Text encoder by name or folder.
        freeze_text: Freeze the text encoder. None keeps the encoder's own default.
        channels: With the vision encoder "unet": channels of its levels, the first at full resolution, and of the last
            up-step. `width` or `stages` replace them.
        norm: "instance" or "batch"; of the decoder, and of the encoder "unet".
        vision: The vision encoder; see `build_vision_encoder`.
        width: Channels of the first map; None: the first of `channels`.
        stages: Stages after the first map; None: as many as `channels` has.
        vision_weights: Pre-trained weights of the vision encoder; see `build_vision_encoder`.
        **kwargs: See `SegModule`.
    """

    def __init__(
        self,
        facts: Mapping[str, Any],
        encoder: str = "pubmedbert",
        freeze_text: bool | None = None,
        channels: Sequence[int] = (32, 32, 64, 128, 256, 32),
        norm: str = "instance",
        vision: str = "unet",
        width: int | None = None,
        stages: int | None = None,
        vision_weights: str = "",
        **kwargs: Any,
    ) -> None:
        super().__init__(facts, **kwargs)
        self.text = build_text_encoder(encoder, freeze_text)
        parts = build_unet(self.facts, channels, norm, vision, width, stages, vision_weights)
        self.vision, self.decoder, self.head = parts
        self.register_load_state_dict_pre_hook(read_earlier_names)
