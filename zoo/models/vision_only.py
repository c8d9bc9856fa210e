"""`VisionOnly`, the base class of the models that are one network of images and read no text."""

from __future__ import annotations

from torch import Tensor, nn

from zoo.layers.tokens import crop_to, pad_to_two_places
from zoo.models.base import SegModule
from zoo.models.output import Output
from zoo.types import Text


class VisionOnly(SegModule):
    """Base class of the models that are one network of images: padding, the network and cropping.

    Attributes:
        net: The network: images [B, C, *S] -> logits [B, K, *S].
        stride: Stride of the deepest map. Images are padded with zeros to a multiple of it.
    """

    net: nn.Module
    stride: int

    def forward_features(self, image: Tensor, text: Text) -> Output:
        """Compute the logits. The losses need no other value."""
        return Output(crop_to(self.net(pad_to_two_places(image, self.stride)), image.shape[2:]))
