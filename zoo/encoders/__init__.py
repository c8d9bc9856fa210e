"""Vision and text encoders."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zoo.utils.lazy import lazy_exports

if TYPE_CHECKING:
    from zoo.encoders.staged_encoder import StagedEncoder as StagedEncoder
    from zoo.encoders.text import TextEncoder as TextEncoder
    from zoo.encoders.text import build_text_encoder as build_text_encoder
    from zoo.encoders.text_backbone import TextBackbone as TextBackbone
    from zoo.encoders.vision import build_vision_encoder as build_vision_encoder

__all__ = [
    "StagedEncoder",
    "TextBackbone",
    "TextEncoder",
    "build_text_encoder",
    "build_vision_encoder",
]

__getattr__, __dir__ = lazy_exports(
    __name__,
    {
        "TextEncoder": "zoo.encoders.text",
        "TextBackbone": "zoo.encoders.text_backbone",
        "StagedEncoder": "zoo.encoders.staged_encoder",
        "build_text_encoder": "zoo.encoders.text",
        "build_vision_encoder": "zoo.encoders.vision",
    },
)
