"""The smallest model that a third party can bring: one convolution whose channels are scaled by the text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from zoo.encoders import build_text_encoder
from zoo.models.base import SegModule
from zoo.models.output import Output
from zoo.text.model_inputs import report_strings
from zoo.types import Text


class ExampleNet(SegModule):
    """One convolution, a factor per channel that depends on the text, and a head.

    Args:
        facts: See `SegModule`.
        encoder: Name of the text encoder.
        width: Channels.
        **kwargs: See `SegModule`.
    """

    def __init__(self, facts: Mapping[str, Any], encoder: str = "tiny", width: int = 16, **kwargs: Any) -> None:
        super().__init__(facts, **kwargs)
        conv = nn.Conv2d if self.facts.spatial_dims == 2 else nn.Conv3d
        self.text = build_text_encoder(encoder)
        self.stem = conv(self.facts.in_channels, width, kernel_size=3, padding=1)
        self.factor = nn.Linear(self.text.width, width)
        self.head = conv(width, self.facts.labels.channels, kernel_size=1)

    def forward_features(self, image: Tensor, text: Text) -> Output:
        """Compute the logits."""
        factor = self.factor(self.text(report_strings(text, len(image)), self.device).pooled)
        return Output(self.head(self.stem(image) * factor[(..., *[None] * (image.ndim - 2))]))
