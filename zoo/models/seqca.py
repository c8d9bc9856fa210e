"""SeqCA: at the bottleneck of a U-Net, the report reads the image, and then the image reads what the report has read.

Shi et al., "TextBraTS: Text-guided volumetric brain tumor segmentation with innovative dataset development and fusion
module exploration" (MICCAI 2025). Written from a description of the released code, which has no licence.
`docs/models/seqca.md` compares the two.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor, nn
from torch.nn import functional as F

from zoo.layers.tokens import crop_to, pad_to_two_places, to_map, to_tokens
from zoo.models.output import Output
from zoo.models.read_text import read_reports
from zoo.models.text_unet import TextUNet
from zoo.types import Text
from zoo.utils.class_args import as_group


@dataclass(frozen=True)
class SeqCAReleased:
    """Switches that restore the behaviour of the released code of SeqCA.

    Attributes:
        no_residual: What the image reads replaces the deepest map, and is not added to it.
        space_norm: The norms are over the places of a channel, and not over the channels of a place.

    Example:
        >>> SeqCAReleased(no_residual=True)
        SeqCAReleased(no_residual=True, space_norm=False)
    """

    no_residual: bool = False
    space_norm: bool = False


class SequentialCrossAttention(nn.Module):
    """Two attentions of one head in sequence, between a map and a text.

        a = softmax(Q t (K x)^T / sqrt(C)) V x,  y = softmax(Q' x (K' a)^T / sqrt(C)) V' a
        x = x + N relu(W N y)

    Args:
        text_width: Channels of a text token.
        hidden: Hidden channels of the network of two layers that gives t.
        width: Channels C of the map.
        released: Switches that restore the behaviour of the released code.
    """

    def __init__(self, text_width: int, hidden: int, width: int, released: SeqCAReleased) -> None:
        super().__init__()
        self.released = released
        self.text = nn.Sequential(nn.Linear(text_width, hidden), nn.ReLU(), nn.Linear(hidden, width))
        self.text_query, self.image_query = nn.Linear(width, width), nn.Linear(width, width)
        # a softmax over keys does not change with their bias, so that a bias would not be trained
        self.image_key, self.read_key = nn.Linear(width, width, bias=False), nn.Linear(width, width, bias=False)
        self.image_value, self.read_value = nn.Linear(width, width), nn.Linear(width, width)
        self.norms = nn.ModuleList([] if released.space_norm else [nn.LayerNorm(width), nn.LayerNorm(width)])
        self.out = nn.Linear(width, width)

    def forward(self, x: Tensor, text: Tensor, mask: Tensor) -> Tensor:
        """Let a map [B, C, *S] and text tokens [B, L, W] read each other; return a map [B, C, *S].

        Args:
            x: The map.
            text: The tokens.
            mask: Bool [B, L], True for a real token.
        """
        image = to_tokens(x)
        query = self.text_query(self.text(text))
        read = _attend(query, self.image_key(image), self.image_value(image))
        seen = _attend(self.image_query(image), self.read_key(read), self.read_value(read), mask)
        new = self._norm(self.out(self._norm(seen, 0)).relu(), 1)
        return to_map(new if self.released.no_residual else image + new, x.shape[2:])

    def _norm(self, tokens: Tensor, index: int) -> Tensor:
        if self.released.space_norm:
            return F.instance_norm(tokens.mT).mT
        normed: Tensor = self.norms[index](tokens)
        return normed


def _attend(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None) -> Tensor:
    """Attend with one head, whose axis ONNX asks for: [B, N, C] x [B, M, C] -> [B, N, C]; `mask` is bool [B, M]."""
    q, k, v = (x.unsqueeze(1) for x in (query, key, value))
    return F.scaled_dot_product_attention(q, k, v, None if mask is None else mask[:, None, None]).squeeze(1)


class SeqCA(TextUNet):
    """The model `unet`, whose deepest map and report read each other in sequence.

    Args:
        facts: See `SegModule`.
        text_hidden: Hidden channels of the network that brings a text token to the width of the map.
        fusion: False is an ablation: the cross-attention is left out, and no text is read.
        released: Switches that restore the behaviour of the released code.
        **kwargs: See `TextUNet`.

    Example:
        >>> import torch
        >>> from zoo import make_facts
        >>> model = SeqCA(make_facts(["lesion"], patch=[32, 32]), encoder="tiny", channels=[8] * 6)
        >>> tuple(model(torch.zeros(2, 1, 32, 32), Text(model.facts.prompts, ("A lesion.", "None."))).shape)
        (2, 1, 32, 32)
    """

    text_path: ClassVar[tuple[str, ...]] = ("fusion",)

    def __init__(
        self,
        facts: Mapping[str, Any],
        text_hidden: int = 1024,
        fusion: bool = True,
        released: SeqCAReleased = SeqCAReleased(),
        **kwargs: Any,
    ) -> None:
        super().__init__(facts, **kwargs)
        released = as_group(SeqCAReleased, released)
        _ = self.vision.text_levels  # raises where no map is coarse enough
        width = self.vision.widths[-1]
        self.fusion = SequentialCrossAttention(self.text.width, text_hidden, width, released) if fusion else None
        if not fusion:
            del self.text  # DDP fails with unused parameters

    def forward_features(self, image: Tensor, text: Text) -> Output:
        """Compute the logits. The losses need no other value."""
        read = read_reports(self.text, text, image) if self.fusion else None
        maps = self.vision(pad_to_two_places(image, self.vision.stride))
        if self.fusion and read:
            maps = [*maps[:-1], self.fusion(maps[-1], read.tokens, read.mask)]
        return Output(crop_to(self.head(self.decoder(maps)), image.shape[2:]))
