"""The plain U-Net on any vision encoder: the vision-only baseline, and the network of the text-guided controls."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from monai.networks.nets.basic_unet import UpCat
from torch import Tensor, nn

from zoo.data_facts import DataFacts
from zoo.encoders.staged_encoder import AtLevel, StagedEncoder
from zoo.encoders.unet import ACTIVATION, UNetEncoder
from zoo.encoders.vision import build_vision_encoder


class UpStep(UpCat):
    """MONAI's `UpCat` for maps of which the finer one is twice as large, which `torch.compile` can trace."""

    def forward(self, x: Tensor, x_e: Tensor | None) -> Tensor:
        """Upsample a map [B, C, *S] and join it with the skip [B, C', *2S], if there is one."""
        x = self.upsample(x)
        joined: Tensor = self.convs(x if x_e is None else torch.cat([x_e, x], dim=1))
        return joined


class UNetDecoder(nn.Module):
    """The up path of MONAI's `BasicUNet`, for the maps of a staged encoder.

    Falk et al., "U-Net: deep learning for cell counting, detection, and morphometry" (2019). Where the first map of
    the encoder has a stride, further up-steps without a skip lead to full resolution.

    Args:
        spatial_dims: 2 or 3.
        encoder: The encoder whose maps are decoded.
        width: Channels of the last feature map, at full resolution.
        norm: "instance" or "batch".
        extra: Channels that a model adds to the map of every step but the last, by `at_step` of `forward`.

    Attributes:
        step_widths: Channels of the map of each step, without `extra`, coarsest first.
        step_strides: Stride of the map of each step, relative to the image.
    """

    def __init__(
        self, spatial_dims: int, encoder: StagedEncoder, width: int, norm: str = "instance", extra: int = 0
    ) -> None:
        super().__init__()
        self.width = width
        self.step_widths: list[int] = []
        self.step_strides: list[int] = []
        widths, stride = encoder.widths, encoder.stem_stride
        style = (ACTIVATION, (norm, {"affine": True}), True)
        self.steps: list[str] = []
        for index in range(len(widths) - 1, 0, -1):
            last = index == 1 and stride == 1
            out = width if last else widths[index - 1]
            channels = widths[index] + (extra if self.steps else 0)
            step = UpStep(spatial_dims, channels, widths[index - 1], out, *style, halves=not last)
            self._add(f"upcat_{index}", step, out, stride * 2 ** (index - 1))
        channels = widths[0]
        while stride > 1:
            channels += extra if self.steps else 0
            self._add(
                f"up_{stride}", UpStep(spatial_dims, channels, 0, width, *style, halves=False), width, stride // 2
            )
            channels, stride = width, stride // 2

    def _add(self, name: str, step: nn.Module, width: int, stride: int) -> None:
        self.add_module(name, step)
        self.steps.append(name)
        self.step_widths.append(width)
        self.step_strides.append(stride)

    def forward(self, maps: Sequence[Tensor], at_step: AtLevel = lambda _, feature: feature) -> Tensor:
        """Compute the last feature map [B, width, *S] from the maps of the encoder, finest first.

        `at_step` changes the map of step 0 (the coarsest), 1, ... before the next step reads it.
        """
        feature, skips = maps[-1], list(maps[:-1])
        for index, name in enumerate(self.steps):
            feature = at_step(index, getattr(self, name)(feature, skips.pop() if skips else None))
        return feature


class UNetParts(NamedTuple):
    """The parts of a plain U-Net.

    Attributes:
        vision: The encoder.
        decoder: The up path.
        head: Convolution of kernel size 1, from the last feature map to the logits.
    """

    vision: StagedEncoder
    decoder: UNetDecoder
    head: nn.Module


def build_unet(
    facts: DataFacts,
    channels: Sequence[int],
    norm: str = "instance",
    vision: str = "unet",
    width: int | None = None,
    stages: int | None = None,
    vision_weights: str = "",
) -> UNetParts:
    """Build the parts of a plain U-Net for a data set.

    Args:
        facts: Facts of the data set: dimensions and channels.
        channels: With the vision encoder "unet": channels of its levels, the first at full resolution, and of the last
            up-step. `width` or `stages` replace them.
        norm: "instance" or "batch"; of the decoder, and of the encoder "unet".
        vision: See `build_vision_encoder`.
        width: Channels of the first map; None: the first of `channels`.
        stages: Stages after the first map; None: as many as `channels` has.
        vision_weights: See `build_vision_encoder`.

    Raises:
        ConfigError: See `build_vision_encoder`.
    """
    dims = facts.spatial_dims
    widths = list(channels[:-1])
    if width is not None or stages is not None:
        widths = [(width or widths[0]) * 2**i for i in range((len(widths) - 1 if stages is None else stages) + 1)]
        channels = [*widths, widths[0]]
    encoder: StagedEncoder
    if vision == "unet" and not vision_weights:
        encoder = UNetEncoder(dims, facts.in_channels, widths, norm)
        last = channels[-1]
    else:
        encoder = build_vision_encoder(vision, dims, facts.in_channels, widths[0], len(widths) - 1, vision_weights)
        last = encoder.widths[0]
    decoder = UNetDecoder(dims, encoder, last, norm)
    conv = nn.Conv2d if dims == 2 else nn.Conv3d
    return UNetParts(encoder, decoder, conv(last, facts.labels.channels, kernel_size=1))


def read_earlier_names(module: nn.Module, state: dict[str, Any], prefix: str, *args: Any) -> None:
    """Rename the weights of a checkpoint in which encoder, decoder and head were one network `net`.

    A hook of `register_load_state_dict_pre_hook`.
    """
    places = {"conv": "vision.conv", "down": "vision.down", "upcat": "decoder.upcat"}
    for name in [one for one in state if one.startswith(f"{prefix}net.")]:
        rest = name.removeprefix(f"{prefix}net.")
        kind, tail = rest.split("_", 1)
        new = f"head.{tail.partition('.')[2]}" if kind == "final" else f"{places.get(kind, kind)}_{tail}"
        state[prefix + new] = state.pop(name)
