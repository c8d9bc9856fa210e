"""FiLM U-Net: the model `unet` whose maps are scaled and shifted by one sentence embedding. A text-guided control.

FiLM is a very simple way to use text. A text-guided method that is not better than FiLM gains from having text,
and not from its way of using the text.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from torch import Tensor, nn

from zoo.layers.tokens import crop_to, pad_to_two_places
from zoo.models.output import Output
from zoo.models.read_text import read_reports
from zoo.models.text_unet import TextUNet
from zoo.types import Text


class FiLM(TextUNet):
    """Perez et al., "FiLM: visual reasoning with a general conditioning layer" (AAAI 2018), in MONAI's U-Net.

    Args:
        facts: See `SegModule`.
        **kwargs: See `TextUNet`.

    Example:
        >>> import torch
        >>> from zoo import make_facts
        >>> model = FiLM(make_facts(["lesion"], patch=[32, 32]), encoder="tiny", channels=(8, 8, 8, 8, 8, 8))
        >>> tuple(model(torch.zeros(2, 1, 32, 32), Text(model.facts.prompts)).shape)
        (2, 1, 32, 32)
    """

    text_path: ClassVar[tuple[str, ...]] = ("films",)

    def __init__(self, facts: Mapping[str, Any], **kwargs: Any) -> None:
        super().__init__(facts, **kwargs)
        self.films = nn.ModuleList(nn.Linear(self.text.width, 2 * width) for width in self.vision.widths)

    def forward_features(self, image: Tensor, text: Text) -> Output:
        """Compute the logits. The losses need no other value."""
        sentence = read_reports(self.text, text, image).pooled

        def modulate(level: int, x: Tensor) -> Tensor:
            scale, shift = self.films[level](sentence)[(..., *(None,) * (x.ndim - 2))].chunk(2, dim=1)
            modulated: Tensor = x * (1 + scale) + shift
            return modulated

        maps = self.vision(pad_to_two_places(image, self.vision.stride), modulate)
        return Output(crop_to(self.head(self.decoder(maps)), image.shape[2:]))
