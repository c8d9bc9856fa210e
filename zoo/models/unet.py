"""U-Net: the vision-only baseline, which does not read the text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from zoo.layers.tokens import crop_to
from zoo.layers.unet import build_unet, read_earlier_names
from zoo.models.output import Output
from zoo.models.vision_only import VisionOnly
from zoo.types import Text


class UNet(VisionOnly):
    """Falk et al., "U-Net: deep learning for cell counting, detection, and morphometry" (2019), by MONAI.

    Args:
        facts: See `VisionOnly`.
        channels: With the vision encoder "unet": channels of its levels, the first at full resolution, and of the last
            up-step. `width` or `stages` replace them.
        norm: "instance" or "batch"; of the decoder, and of the encoder "unet".
        vision: The vision encoder; see `build_vision_encoder`.
        width: Channels of the first map; None: the first of `channels`.
        stages: Stages after the first map; None: as many as `channels` has.
        vision_weights: Pre-trained weights of the vision encoder; see `build_vision_encoder`.
        **kwargs: See `VisionOnly`.

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
        vision: str = "unet",
        width: int | None = None,
        stages: int | None = None,
        vision_weights: str = "",
        **kwargs: Any,
    ) -> None:
        super().__init__(facts, **kwargs)
        parts = build_unet(self.facts, channels, norm, vision, width, stages, vision_weights)
        self.vision, self.decoder, self.head = parts
        self.stride = self.vision.stride
        self.register_load_state_dict_pre_hook(read_earlier_names)

    def forward_features(self, image: Tensor, text: Text) -> Output:
        """Compute the logits. The losses need no other value."""
        feature = self.decoder(self.vision(self.pad(image)))
        return Output(crop_to(self.head(feature), image.shape[2:]))
