"""U-Net with one sentence embedding concatenated to its deepest map. A text-guided control."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from zoo.layers.tokens import crop_to, pad_to_two_places
from zoo.models.output import Output
from zoo.models.read_text import read_reports
from zoo.models.text_unet import TextUNet
from zoo.types import Text


class UNetConcat(TextUNet):
    """The model `unet`, whose deepest map reads one sentence embedding through a 1x1 convolution.

    The embedding is projected to the width of the deepest map and repeated at each of its places. A convolution of
    kernel size 1 joins both. It is the oldest way to add a vector to a network of images.

    Args:
        facts: See `SegModule`.
        **kwargs: See `TextUNet`.

    Example:
        >>> from zoo import make_facts
        >>> model = UNetConcat(make_facts(["lesion"], patch=[32, 32]), encoder="tiny", channels=(8, 8, 8, 8, 8, 8))
        >>> tuple(model(torch.zeros(2, 1, 32, 32), Text(model.facts.prompts)).shape)
        (2, 1, 32, 32)
    """

    text_path: ClassVar[tuple[str, ...]] = ("project", "join")

    def __init__(self, facts: Mapping[str, Any], **kwargs: Any) -> None:
        super().__init__(facts, **kwargs)
        deepest = self.vision.widths[-1]
        conv = nn.Conv2d if self.facts.spatial_dims == 2 else nn.Conv3d
        self.project = nn.Linear(self.text.width, deepest)
        self.join = conv(2 * deepest, deepest, kernel_size=1)

    def forward_features(self, image: Tensor, text: Text) -> Output:
        """Compute the logits. The losses need no other value."""
        sentence = self.project(read_reports(self.text, text, image).pooled)
        maps = self.vision(pad_to_two_places(image, self.vision.stride))
        places = sentence[(..., *(None,) * (image.ndim - 2))].expand(-1, -1, *maps[-1].shape[2:])
        maps[-1] = self.join(torch.cat([maps[-1], places], dim=1))
        return Output(crop_to(self.head(self.decoder(maps)), image.shape[2:]))
