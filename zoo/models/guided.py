"""`GuidedModule`, the base class of LanGuideMedSeg and of the methods that extend it (TeViA, TMCA)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import nn

from zoo.encoders.text import TextEncoder, build_text_encoder
from zoo.encoders.vision import build_vision_encoder
from zoo.layers.guided_decoder import GuidedDecoder
from zoo.models.base import SegModule
from zoo.utils.class_args import as_group


@dataclass(frozen=True)
class GuidedReleased:
    """Switches that restore the behaviour of LanGuideMedSeg's released code.

    Attributes:
        tokens: None: text of any length, padding masked. 24: the fixed length of the released code. The tokeniser
            cuts or pads each text to it, and the image reads the encoder's output at padding too.
        flat_places: True: the place of an image token is its number. False: its coordinate on each axis.

    Example:
        >>> GuidedReleased(tokens=24)
        GuidedReleased(tokens=24, flat_places=False)
    """

    tokens: int | None = None
    flat_places: bool = False


class GuidedModule(SegModule):
    """A vision encoder, a text encoder, a guided decoder and a segmentation head.

    Args:
        facts: See `SegModule`.
        encoder: Text encoder by name or folder.
        freeze_text: Freeze the text encoder. None keeps the encoder's own default.
        vision: "convnext" (published, 2D) or another vision encoder; see `build_vision_encoder`.
        vision_weights: Pre-trained weights of the vision encoder; see `build_vision_encoder`.
        width: Channels of the vision stem.
        stages: Vision stages after the first map. The decoder guides each map but the first one, and no map of a
            stride below 4.
        head_width: Channels of the segmentation head's feature, at full resolution.
        heads: Heads of the cross-attention.
        gain: Start value of the learned factor of the cross-attention.
        norm: Normalisation of the decoder's convolutions: "batch" (published) or "instance".
        released: Switches that restore the behaviour of the released code.
        **kwargs: See `SegModule`.
    """

    renamed_arguments: ClassVar[Mapping[str, str]] = {"tokens": "released.tokens"}

    def __init__(
        self,
        facts: Mapping[str, Any],
        encoder: str = "cxr_bert",
        freeze_text: bool | None = None,
        vision: str = "convnext",
        vision_weights: str = "",
        width: int = 96,
        stages: int = 3,
        head_width: int = 24,
        heads: int = 4,
        gain: float = 1.421,
        norm: str = "batch",
        released: GuidedReleased = GuidedReleased(),
        **kwargs: Any,
    ) -> None:
        super().__init__(facts, **kwargs)
        released = as_group(GuidedReleased, released)
        dims = self.facts.spatial_dims
        self.text = self.build_text(encoder, freeze_text, released)
        self.vision = build_vision_encoder(vision, dims, self.facts.in_channels, width, stages, vision_weights)
        self.guided_widths = [self.vision.widths[level] for level in self.vision.text_levels]  # finest first
        old = (released.tokens, released.flat_places)
        self.decoder = GuidedDecoder(dims, self.vision, self.text.width, head_width, heads, gain, norm, *old)
        conv = nn.Conv2d if dims == 2 else nn.Conv3d
        self.head = conv(head_width, self.facts.labels.channels, kernel_size=1)

    def build_text(self, encoder: str, freeze: bool | None, released: GuidedReleased) -> TextEncoder:
        """Build the text encoder. A method whose release treats the encoder in another way overrides this."""
        return build_text_encoder(encoder, freeze, released.tokens)
