"""CRIS: the sentence of a class weighs the deepest map and makes the last kernel, and every place reads its words.

Wang et al., "CRIS: CLIP-driven referring image segmentation" (CVPR 2022). The released code is under MIT.
`docs/models/cris.md` compares the two.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import gcd, log2
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from zoo.encoders.text import build_text_encoder
from zoo.encoders.vision import build_vision_encoder
from zoo.errors import ConfigError
from zoo.layers.attention import Attention
from zoo.layers.convolutions import conv_norm_relu
from zoo.layers.query import add_zero_background
from zoo.layers.tokens import (
    crop_to,
    index_positions,
    pad_to_two_places,
    resize,
    sequence_positions,
    spaced,
    to_map,
    to_tokens,
)
from zoo.models.base import SegModule
from zoo.models.output import Output
from zoo.models.read_text import read_prompt_tokens
from zoo.types import Text
from zoo.utils.class_args import as_group


@dataclass(frozen=True)
class CRISReleased:
    """Switches that restore the behaviour of CRIS's released code.

    Attributes:
        batch_sentence: The sentence is normalised over the batch, which fails with one image. False: over its channels.
        coarse: The last kernel runs at a quarter of the resolution of the second deepest map. Its logits are upsampled.

    Example:
        >>> CRISReleased(coarse=True)
        CRISReleased(batch_sentence=False, coarse=True)
    """

    batch_sentence: bool = False
    coarse: bool = False


def double(x: Tensor) -> Tensor:
    """Upsample a map to twice its size."""
    return F.interpolate(x, scale_factor=2, mode="bilinear" if x.ndim == 4 else "trilinear")


def with_coordinates(x: Tensor) -> Tensor:
    """Append the coordinate of each axis in [-1, 1], last axis first, to a map [B, C, *S]."""
    lines = [spaced(-1, 1, n, x.device).to(x.dtype) for n in x.shape[2:]]
    grid = torch.meshgrid(*lines, indexing="ij")[::-1]
    return torch.cat([x, torch.stack(grid).expand(x.shape[0], *[-1] * (x.ndim - 1))], dim=1)


class Neck(nn.Module):
    """The three deepest maps in one of the stride of the second deepest. The sentence weighs the deepest map.

    Args:
        dims: 2 or 3.
        widths: Channels of the three maps, finest first.
        text_width: Channels of the sentence.
        width: Channels of the result.
        norm: "batch" or "instance".
        batch_sentence: See `CRISReleased`.
    """

    text_path: ClassVar[tuple[str, ...]] = ("sentence", "sentence_norm")

    def __init__(
        self, dims: int, widths: Sequence[int], text_width: int, width: int, norm: str, batch_sentence: bool
    ) -> None:
        super().__init__()

        def conv(inputs: int, outputs: int, kernel: int) -> nn.Module:
            return conv_norm_relu(dims, inputs, outputs, norm, kernel, bias=False)

        norms = {"batch": (nn.BatchNorm2d, nn.BatchNorm3d), "instance": (nn.InstanceNorm2d, nn.InstanceNorm3d)}
        self.sentence = nn.Linear(text_width, 2 * width, bias=False)
        self.sentence_norm = nn.BatchNorm1d(2 * width) if batch_sentence else nn.LayerNorm(2 * width)
        self.project = nn.ModuleList(
            [conv(widths[0], width // 2, 3), conv(widths[1], width, 3), conv(widths[2], 2 * width, 1)]
        )
        self.norm = norms[norm][dims - 2](2 * width, affine=True)
        self.join_middle, self.join_fine = conv(3 * width, width, 1), conv(width // 2 + width, width, 1)
        self.query = nn.ModuleList([conv(width, width, 3), conv(width, width, 3), conv(2 * width, width, 3)])
        self.gather = conv(3 * width, width, 1)
        self.place = nn.Sequential(conv(width + dims, width, 3), conv(width, width, 3))

    def forward(self, maps: Sequence[Tensor], sentence: Tensor) -> Tensor:
        """Join maps, finest first, of which the coarser one has half the size, and a sentence [B, text_width]."""
        fine, middle, deep = (project(one) for project, one in zip(self.project, maps, strict=True))
        weights = self.sentence_norm(self.sentence(sentence)).relu()
        deep = self.norm(deep * weights[(..., *(None,) * (deep.ndim - 2))]).relu()
        middle = self.join_middle(torch.cat([middle, double(deep)], dim=1))
        pool = F.avg_pool2d if fine.ndim == 4 else F.avg_pool3d
        fine = self.join_fine(torch.cat([pool(fine, 2), middle], dim=1))
        queries = [query(one) for query, one in zip(self.query, (fine, middle, deep), strict=True)]
        joined = self.gather(torch.cat([*queries[:2], double(queries[2])], dim=1))
        out: Tensor = self.place(with_coordinates(joined))
        return out


class ReadingLayer(nn.Module):
    """A layer of the decoder: the places read each other, then the words, each with a norm before and behind."""

    text_path: ClassVar[tuple[str, ...]] = ("words", "words_in", "words_out")

    def __init__(self, width: int, heads: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.own, self.words = (Attention(width, gcd(width, heads)) for _ in range(2))
        self.own_in, self.own_out, self.words_in, self.words_out, self.mlp_in = (nn.LayerNorm(width) for _ in range(5))
        inner, outer = nn.Linear(width, hidden), nn.Linear(hidden, width)
        self.mlp = nn.Sequential(inner, nn.ReLU(), nn.Dropout(dropout), nn.LayerNorm(hidden), outer)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, place: Tensor, words: Tensor, order: Tensor, mask: Tensor) -> Tensor:
        """Change places [B, N, d] by themselves and by words [B, L, d]."""
        u = self.own_in(x)
        x = x + self.dropout(self.own_out(self.own(u + place, u + place, u)))
        read = self.words(self.words_in(x) + place, words + order, words, mask)
        x = x + self.dropout(self.words_out(read))
        out: Tensor = x + self.dropout(self.mlp(self.mlp_in(x)))
        return out


class KernelHead(nn.Module):
    """Up-steps of a convolution each, and a convolution whose kernel and bias are made from the sentence.

    Args:
        dims: 2 or 3.
        text_width: Channels of the sentence.
        width: Channels of the map.
        steps: Up-steps. The first one keeps the channels, each further one halves them.
        norm: "batch" or "instance".
    """

    text_path: ClassVar[tuple[str, ...]] = ("kernel",)

    def __init__(self, dims: int, text_width: int, width: int, steps: int, norm: str) -> None:
        super().__init__()
        widths = [width, *(max(width // 2**i, 4) for i in range(steps))]
        self.ups = nn.ModuleList(conv_norm_relu(dims, widths[i], widths[i + 1], norm, bias=False) for i in range(steps))
        self.last = (nn.Conv2d if dims == 2 else nn.Conv3d)(widths[-1], widths[-1], kernel_size=1)
        self.kernel = nn.Linear(text_width, widths[-1] * 3**dims + 1)

    def forward(self, x: Tensor, sentence: Tensor) -> Tensor:
        """Return one logit per sentence and place, [B, 1, *S], of a map [B, width, *s]."""
        for up in self.ups:
            x = up(double(x))
        x = self.last(x)
        count, width, *size = x.shape
        kernel = self.kernel(sentence)
        conv = F.conv2d if len(size) == 2 else F.conv3d
        weight = kernel[:, :-1].view(count, width, *[3] * len(size))
        out = conv(x.reshape(1, count * width, *size), weight, kernel[:, -1], padding=1, groups=count)
        return out.transpose(0, 1)


class CRIS(SegModule):
    """The three deepest maps of a vision encoder, joined, read the words of one class at a time.

    Where the classes are exclusive, the logit of the background is 0.

    Args:
        facts: See `SegModule`.
        encoder: Text encoder by name or folder.
        freeze_text: Freeze the text encoder. None keeps the encoder's own default.
        vision: A vision encoder; see `build_vision_encoder`.
        vision_weights: Pre-trained weights of the vision encoder; see `build_vision_encoder`.
        width: Channels of the vision stem.
        stages: Vision stages after the first map, 2 or more.
        query_width: Channels of the joined map and of the words (512 as published).
        layers: Layers of the decoder; with 0, an ablation, the words are not read, and only the sentence is.
        heads: Most heads of an attention; fewer where they do not divide the width.
        hidden: Hidden channels of the feed-forward networks.
        dropout: Share of values of the decoder that are set to zero in training.
        norm: "batch" (published) or "instance".
        released: Switches that restore the behaviour of the released code.
        **kwargs: See `SegModule`.

    Raises:
        ConfigError: The vision encoder has fewer than three maps.

    Example:
        >>> from zoo import make_facts
        >>> model = CRIS(make_facts(["lesion"], patch=[32, 32]), encoder="tiny", vision="conv", width=8, query_width=16)
        >>> tuple(model(torch.zeros(2, 1, 32, 32), Text(model.facts.prompts)).shape)
        (2, 1, 32, 32)
    """

    text_path: ClassVar[tuple[str, ...]] = ("to_words",)

    def __init__(
        self,
        facts: Mapping[str, Any],
        encoder: str = "clip_vit_b32",
        freeze_text: bool | None = None,
        vision: str = "timm:resnet50_clip",
        vision_weights: str = "",
        width: int = 64,
        stages: int = 4,
        query_width: int = 512,
        layers: int = 3,
        heads: int = 8,
        hidden: int = 2048,
        dropout: float = 0.1,
        norm: str = "batch",
        released: CRISReleased = CRISReleased(),
        **kwargs: Any,
    ) -> None:
        super().__init__(facts, **kwargs)
        self.released = as_group(CRISReleased, released)
        if stages < 2:
            raise ConfigError(f"--model.stages {stages}: CRIS reads three maps.", "Give 2 or more --model.stages.")
        dims, wide = self.facts.spatial_dims, query_width
        self.text = build_text_encoder(encoder, freeze_text)
        self.vision = build_vision_encoder(vision, dims, self.facts.in_channels, width, stages, vision_weights)
        source = self.text.width
        self.neck = Neck(dims, self.vision.widths[-3:], source, wide, norm, self.released.batch_sentence)
        self.to_words = nn.Linear(source, wide) if layers and source != wide else nn.Identity()
        self.layers = nn.ModuleList(ReadingLayer(wide, heads, hidden, dropout) for _ in range(layers))
        self.norm = nn.LayerNorm(wide)
        steps = int(log2(self.vision.stride)) - 1
        self.head = KernelHead(dims, source, wide, min(steps, 2) if self.released.coarse else steps, norm)

    def forward_features(self, image: Tensor, text: Text) -> Output:
        """Compute the logits. The losses need no other value."""
        read = read_prompt_tokens(self.text, text, image)
        padded = pad_to_two_places(image, self.vision.stride)
        classes = read.pooled.shape[0] // image.shape[0]
        maps = [one.repeat_interleave(classes, dim=0) for one in self.vision(padded)[-3:]]
        x = self.neck(maps, read.pooled)
        size = x.shape[2:]
        places, words = to_tokens(x), self.to_words(read.tokens)
        place = index_positions(size, places.shape[2], x.device)
        order = sequence_positions(words.shape[1], words.shape[2], x.device)
        for layer in self.layers:
            places = layer(places, place, words, order, read.mask)
        logits = self.head(to_map(self.norm(places), size), read.pooled)
        if logits.shape[2:] != padded.shape[2:]:
            logits = resize(logits, padded.shape[2:])
        logits = crop_to(logits.view(image.shape[0], classes, *logits.shape[2:]), image.shape[2:])
        return Output(add_zero_background(logits, self.facts.labels.exclusive))
