"""FiLM U-Net: the `unet` whose maps are scaled and shifted by one sentence embedding. A text-guided control.

It is the least that text can do to a network. A text-guided method that does not beat it has gained by
having text, and not by its way of using it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from monai.networks.nets import UNet as MonaiUNet
from torch import Tensor, nn

from zoo.module import Features, SegModule
from zoo.nn.grid import crop_to, pad_to_stride
from zoo.text.encoders import build_encoder
from zoo.text.prompts import report_strings
from zoo.types import Text


class FiLM(SegModule):
    """Perez et al., "FiLM: visual reasoning with a general conditioning layer" (AAAI 2018), in MONAI's U-Net.

    Args:
        facts: See `SegModule`.
        encoder: Text encoder by name or folder.
        freeze_text: Freeze it; None keeps the encoder's own default.
        channels: Channels a level; the first level has stride 2.
        residual_units: Residual units a level.
        **kwargs: See `SegModule`.
    """

    def __init__(
        self,
        facts: Mapping[str, Any],
        encoder: str = "pubmedbert",
        freeze_text: bool | None = None,
        channels: Sequence[int] = (32, 64, 128, 256, 512),
        residual_units: int = 2,
        **kwargs: Any,
    ) -> None:
        super().__init__(facts, **kwargs)
        self.stride = 2 ** (len(channels) - 1)
        self.text = build_encoder(encoder, freeze_text)
        self.net = MonaiUNet(
            spatial_dims=self.facts.spatial_dims,
            in_channels=self.facts.in_channels,
            out_channels=self.facts.labels.channels,
            channels=tuple(channels),
            strides=(2,) * (len(channels) - 1),
            num_res_units=residual_units,
            norm="INSTANCE",
        )
        self.films = nn.ModuleList(nn.Linear(self.text.width, 2 * width) for width in channels)

    def encode(self, image: Tensor, text: Text) -> Features:
        """Logits alone."""
        sentence = self.text(report_strings(text, len(image)), self.device).pooled
        padded = pad_to_stride(image, self.stride)
        return {"logits": crop_to(self._level(0, self.net.model, padded, sentence), image.shape[2:])}

    def _level(self, index: int, block: nn.Module, x: Tensor, sentence: Tensor) -> Tensor:
        """MONAI nests its levels: down, (the next level beside a skip), up; the last one is a block alone."""
        if index == len(self.films) - 1:
            return self._film(index, block(x), sentence)
        down, beside, up = block.children()
        x = self._film(index, down(x), sentence)
        inner = self._level(index + 1, beside.get_submodule("submodule"), x, sentence)
        out: Tensor = up(torch.cat([x, inner], dim=1))
        return out

    def _film(self, index: int, x: Tensor, sentence: Tensor) -> Tensor:
        scale, shift = self.films[index](sentence)[(..., *(None,) * (x.ndim - 2))].chunk(2, dim=1)
        out: Tensor = x * (1 + scale) + shift
        return out
