"""A U-Net whose last layers are generated from the text of a class. A text-guided control.

Zhang et al., "DoDNet: Learning to segment multi-organ and tumors from multiple partially labeled datasets" (CVPR 2021)
generate the kernels from a one-hot code of the task; Liu et al., "CLIP-driven universal model" (ICCV 2023) from a text
embedding.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from zoo.errors import ConfigError
from zoo.layers.kernels import SIZE, WIDTH, apply_kernels
from zoo.layers.query import prepend_background
from zoo.layers.tokens import crop_to, pad_to_two_places
from zoo.models.output import Output
from zoo.models.read_text import read_prompts
from zoo.models.text_unet import TextUNet
from zoo.types import Text

CODES = ("text", "one_hot")


class UNetHyper(TextUNet):
    """The model `unet`, whose last convolution is three layers with kernels generated per image and class.

    A linear layer reads the mean of the deepest map and the code of a class, and gives the weights of three
    convolutions of kernel size 1 with 8, 8 and 1 channels. Where the classes are exclusive, the background has a
    learned code.

    Args:
        facts: See `SegModule`.
        code: "text": the pooled embedding of the class's prompt. "one_hot": the number of the class; the text is
            not read. That is an ablation.
        **kwargs: See `TextUNet`.

    Raises:
        ConfigError: An unknown code.

    Example:
        >>> from zoo import make_facts
        >>> model = UNetHyper(make_facts(["lesion"], patch=[32, 32]), encoder="tiny", channels=(8, 8, 8, 8, 8, 8))
        >>> tuple(model(torch.zeros(2, 1, 32, 32), Text(model.facts.prompts)).shape)
        (2, 1, 32, 32)
    """

    text_path: ClassVar[tuple[str, ...]] = ("generate", "background")

    def __init__(self, facts: Mapping[str, Any], code: str = "text", **kwargs: Any) -> None:
        super().__init__(facts, **kwargs)
        if code not in CODES:
            raise ConfigError(f"--model.code {code!r} is unknown.", f"Use {' or '.join(CODES)}.")
        labels = self.facts.labels
        self.code = code
        if code == "one_hot":
            del self.text  # DDP fails with unused parameters
        width = self.text.width if code == "text" else len(labels.names)
        conv = nn.Conv2d if self.facts.spatial_dims == 2 else nn.Conv3d
        self.head = conv(self.decoder.width, WIDTH, kernel_size=1)
        self.background = nn.Parameter(torch.randn(1, width)) if labels.exclusive else None
        self.generate = nn.Linear(self.vision.widths[-1] + width, SIZE)

    def forward_features(self, image: Tensor, text: Text) -> Output:
        """Compute the logits. The losses need no other value."""
        codes = self._encode_classes(text, image)
        maps = self.vision(pad_to_two_places(image, self.vision.stride))
        feature = self.head(self.decoder(maps))
        pooled = maps[-1].flatten(2).mean(2)[:, None].expand(-1, codes.shape[1], -1)
        kernels = self.generate(torch.cat([pooled, codes], dim=2))
        logits = apply_kernels(crop_to(feature, image.shape[2:]), kernels)
        return Output(logits)

    def _encode_classes(self, text: Text, image: Tensor) -> Tensor:
        """Compute the code of each class and image, [B, K, D], the background first where classes are exclusive."""
        if self.code == "one_hot":
            codes = torch.eye(len(self.facts.labels.names), device=image.device).expand(len(image), -1, -1)
        else:
            codes = read_prompts(self.text, text, image)
        return prepend_background(self.background, codes)
