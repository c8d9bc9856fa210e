"""DD-CMD: decoder stages in which the text changes a map by attention and by its frequencies, and refinement by text.

Rahman and Hammond (MICCAI 2026). The released code, without a licence, was read; this file is written anew.
`docs/models/dd_cmd.md` compares the two.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import pairwise
from typing import Any, ClassVar

import torch
from monai.networks.blocks import UnetrUpBlock
from monai.networks.layers.utils import get_norm_layer
from torch import Tensor, nn
from torch.nn import functional as F

from zoo.encoders.text import build_text_encoder
from zoo.encoders.text_backbone import mean_of_real
from zoo.encoders.vision import build_vision_encoder
from zoo.layers.attention import Attention, mlp
from zoo.layers.guided_decoder import RELEASED_LENGTHS
from zoo.layers.tokens import (
    crop_to,
    pad_to_two_places,
    positions,
    resample_places,
    sequence_positions,
    to_map,
    to_tokens,
)
from zoo.models.base import SegModule
from zoo.models.guided import GuidedReleased
from zoo.models.output import Output
from zoo.models.read_text import read_reports
from zoo.types import Text
from zoo.utils.class_args import as_group


def cosine_transform(x: Tensor) -> Tensor:
    """Compute the orthonormal discrete cosine transform (DCT-II) of a map [B, C, *S] along each axis of space."""
    for axis, size in enumerate(x.shape[2:], 2):
        index = torch.arange(size, device=x.device, dtype=x.dtype)
        basis = torch.cos(math.pi * index[:, None] * (index + 0.5) / size) * math.sqrt(2 / size)
        basis = torch.cat([basis[:1] / math.sqrt(2), basis[1:]])
        x = (x.movedim(axis, -1) @ basis.T).movedim(-1, axis)
    return x


def scale_and_shift(x: Tensor, factors: Tensor) -> Tensor:
    """Scale and shift the channels of a map [B, C, *S] by the hyperbolic tangent of factors [B, 2C]."""
    scale, shift = factors.tanh()[(..., *(None,) * (x.ndim - 2))].chunk(2, dim=1)
    return x * (1 + scale) + shift


class Fuse(nn.Module):
    """The places read the words, through a gate per image.

        u = gelu(norm(depthwise and pointwise convolution of x));  t = W text
        x = LN(x + s sigmoid(mlp[mean u; mean t]) CA(LN(u) + place, LN(t) + place));  x = LN(x + mlp(x))

    Args:
        dims: 2 or 3.
        width: Channels of the map.
        text_width: Channels of a text token.
        norm: "batch" or "instance".
        kept: Number of tokens to which the released form resamples the text.
        released: See `GuidedReleased`.
    """

    def __init__(self, dims: int, width: int, text_width: int, norm: str, kept: int, released: GuidedReleased) -> None:
        super().__init__()
        conv = nn.Conv2d if dims == 2 else nn.Conv3d
        self.kept, self.released = kept, released
        deep = conv(width, width, kernel_size=3, padding=1, groups=width, bias=False)
        point = conv(width, width, kernel_size=1, bias=False)
        self.local = nn.Sequential(deep, point, get_norm_layer((norm, {"affine": True}), dims, width), nn.GELU())
        self.project = nn.Linear(text_width, width)
        self.norm_query, self.norm_words, self.norm_read, self.norm_out = (nn.LayerNorm(width) for _ in range(4))
        self.cross = Attention(width, math.gcd(width, 4))
        hidden = max(32, width // 2)
        self.gate = nn.Sequential(nn.Linear(2 * width, hidden), nn.GELU(), nn.Linear(hidden, 1))
        self.scale = nn.Parameter(torch.tensor(1.0))
        self.mlp = mlp(width, 2)

    def forward(self, x: Tensor, text: Tensor, mask: Tensor) -> Tensor:
        """Change a map [B, C, *S] by text tokens [B, L, W]."""
        size, device = x.shape[2:], x.device
        tokens, local = to_tokens(x), to_tokens(self.local(x))
        count, width = tokens.shape[1:]
        words = self.project(text)
        if self.released.tokens and words.shape[1] != self.kept:
            words = F.interpolate(words.transpose(1, 2), size=self.kept, mode="linear").transpose(1, 2)
            mask = mask.new_ones(words.shape[:2])
        flat = self.released.flat_places
        place = sequence_positions(count, width, device) if flat else positions(size, width, device)
        keys = self.norm_words(words) + sequence_positions(words.shape[1], width, device)
        read = self.cross(self.norm_query(local) + place, keys, keys, mask)
        gate = self.gate(torch.cat([local.mean(1), mean_of_real(words, mask)], dim=1)).sigmoid()[:, None]
        tokens = self.norm_read(tokens + self.scale * gate * read)
        return to_map(self.norm_out(tokens + self.mlp(tokens)), size)


class Modulate(nn.Module):
    """Scale and shift of the channels, from the energy of each channel over frequencies and from the mean of the text.

    Args:
        dims: 2 or 3.
        width: Channels of the map.
        text_width: Channels of a text token.
        frequencies: Learned weights of the frequencies per axis, resampled to the size of the map.
    """

    def __init__(self, dims: int, width: int, text_width: int, frequencies: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1, 1, *[frequencies] * dims))
        self.project = nn.Linear(text_width, width)
        hidden = max(32, width)
        self.mlp = nn.Sequential(nn.Linear(2 * width, hidden), nn.GELU(), nn.Linear(hidden, 2 * width))
        self.norm = nn.LayerNorm(width)

    def forward(self, x: Tensor, sentence: Tensor) -> Tensor:
        """Change a map [B, C, *S] by the mean of the text [B, W]."""
        size = x.shape[2:]
        weight = resample_places(self.weight, size)
        frequencies = cosine_transform(x).float()  # squares of half precision overflow
        energy = (frequencies.square() * weight.sigmoid()).flatten(2).mean(2)
        x = scale_and_shift(x, self.mlp(torch.cat([energy, self.project(sentence)], dim=1)))
        return to_map(self.norm(to_tokens(x)), size)


class Stage(nn.Module):
    """One guided stage of the decoder: attention, frequencies, and an up-step with the skip."""

    text_path: ClassVar[tuple[str, ...]] = ("fuse", "modulate")

    def __init__(self, fuse: Fuse | None, modulate: Modulate | None, up: UnetrUpBlock) -> None:
        super().__init__()
        self.fuse, self.modulate, self.up = fuse, modulate, up

    def forward(self, x: Tensor, skip: Tensor, text: Tensor, mask: Tensor) -> Tensor:
        """Change a map [B, C, *S] by the text and join it with the skip [B, C', *2S]."""
        if self.fuse is not None:
            x = self.fuse(x, text, mask)
        if self.modulate is not None:
            x = self.modulate(x, mean_of_real(text, mask))
        out: Tensor = self.up(x, skip)
        return out


class Refine(nn.Module):
    """An up-step that reads a convolution of the image, and scale and shift from the mean of the text."""

    text_path: ClassVar[tuple[str, ...]] = ("film",)

    def __init__(self, dims: int, image: int, width: int, out: int, stride: int, text_width: int, norm: str) -> None:
        super().__init__()
        conv = nn.Conv2d if dims == 2 else nn.Conv3d

        def block(inputs: int, step: int = 1) -> list[nn.Module]:
            layer = conv(inputs, out, kernel_size=3, stride=step, padding=1, bias=False)
            return [layer, get_norm_layer((norm, {"affine": True}), dims, out), nn.GELU()]

        self.mode = "bilinear" if dims == 2 else "trilinear"
        self.shallow = nn.Sequential(*block(image, stride))
        self.convs = nn.Sequential(*block(width + out), *block(out))
        self.film = nn.Sequential(nn.Linear(text_width, 2 * out), nn.GELU(), nn.Linear(2 * out, 2 * out))

    def forward(self, x: Tensor, image: Tensor, sentence: Tensor) -> Tensor:
        """Upsample a map [B, width, *S] to [B, out, *2S]."""
        x = torch.cat([F.interpolate(x, scale_factor=2, mode=self.mode), self.shallow(image)], dim=1)
        return scale_and_shift(self.convs(x), self.film(sentence))


class DDCMD(SegModule):
    """A vision encoder, guided decoder stages, and refinement of the last map by the image and the text.

    Args:
        facts: See `SegModule`.
        encoder: Text encoder by name or folder.
        freeze_text: Freeze the text encoder. None keeps the encoder's own default.
        vision: "convnext" (published, 2D) or another vision encoder; see `build_vision_encoder`.
        vision_weights: Pre-trained weights of the vision encoder; see `build_vision_encoder`.
        width: Channels of the vision stem.
        stages: Vision stages after the first map. The decoder guides each map but the first one, and no map of a
            stride below 4.
        frequencies: Learned weights of the frequencies per axis at the deepest map, doubled by each stage.
        attention: False is an ablation: the places do not read the words.
        modulation: False is an ablation: the frequencies do not scale and shift the channels.
        norm: Normalisation of the convolutions: "batch" (published) or "instance".
        released: Switches that restore the behaviour of the released code: 24 tokens, resampled to 24, 12 and 9, and
            numbers of places.
        **kwargs: See `SegModule`.

    Example:
        >>> from zoo import make_facts
        >>> model = DDCMD(make_facts(["lesion"], patch=[32, 32]), encoder="tiny", vision="conv", width=8)
        >>> tuple(model(torch.zeros(2, 1, 32, 32), Text(model.facts.prompts)).shape)
        (2, 1, 32, 32)
    """

    def __init__(
        self,
        facts: Mapping[str, Any],
        encoder: str = "pubmedbert",
        freeze_text: bool | None = None,
        vision: str = "convnext",
        vision_weights: str = "",
        width: int = 96,
        stages: int = 3,
        frequencies: int = 7,
        attention: bool = True,
        modulation: bool = True,
        norm: str = "batch",
        released: GuidedReleased = GuidedReleased(),  # noqa: B008 - it is immutable
        **kwargs: Any,
    ) -> None:
        super().__init__(facts, **kwargs)
        self.released = as_group(GuidedReleased, released)
        dims, channels = self.facts.spatial_dims, self.facts.in_channels
        self.text = build_text_encoder(encoder, freeze_text, self.released.tokens)
        self.vision = build_vision_encoder(vision, dims, channels, width, stages, vision_weights)
        source, guided, stride = self.text.width, len(self.vision.text_levels), self.vision.stem_stride
        self.stages = nn.ModuleList()
        for i, (wide, narrow) in enumerate(pairwise(self.vision.widths[::-1])):
            up = UnetrUpBlock(dims, wide, narrow, kernel_size=3, upsample_kernel_size=2, norm_name=norm)
            kept = RELEASED_LENGTHS[min(i, 2)]
            fuse = Fuse(dims, wide, source, norm, kept, self.released) if attention and i < guided else None
            grid = frequencies * 2**i
            self.stages.append(
                Stage(fuse, Modulate(dims, wide, source, grid) if modulation and i < guided else None, up)
            )
        width, steps = self.vision.widths[0], int(math.log2(stride))
        widths = [width, *(max(width // 2 ** (i + 1), 4) for i in range(steps))]
        self.refine = nn.ModuleList(
            Refine(dims, channels, widths[i], widths[i + 1], stride // 2 ** (i + 1), source, norm) for i in range(steps)
        )
        self.head = (nn.Conv2d if dims == 2 else nn.Conv3d)(widths[-1], self.facts.labels.channels, kernel_size=1)

    def forward_features(self, image: Tensor, text: Text) -> Output:
        """Compute the logits. The losses need no other value."""
        read = read_reports(self.text, text, image)
        mask = torch.ones_like(read.mask) if self.released.tokens else read.mask
        padded = pad_to_two_places(image, self.vision.stride)
        x, *skips = self.vision(padded)[::-1]
        for stage, skip in zip(self.stages, skips, strict=True):
            x = stage(x, skip, read.tokens, mask)
        sentence = mean_of_real(read.tokens, mask)
        for refine in self.refine:
            x = refine(x, padded, sentence)
        return Output(crop_to(self.head(x), image.shape[2:]))
