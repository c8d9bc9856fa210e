"""Two-way fusion of text tokens and image tokens: the block of BiPVL-Seg's released code.

The block is the two-way transformer of SAM's mask decoder (Kirillov et al., "Segment anything", ICCV 2023)
with one more MLP on the image side. For a stage of width d [released code]:

    P = T = Linear(T / |T|)                     (P is the positional code)
    twice:  T = LN(SA(T))                       (first block: no residual, no P)
            T = LN(T + SA(q=T+P, k=T+P, v=T))   (second block)
            T = LN(T + CA(q=T+P, kv=V));        T = LN(T + MLP(T))
            V = LN(V + CA(q=V, k=T+P, v=T));    V = LN(V + MLP(V))
    T = Linear(LN(T + CA(q=T+P, kv=V)))
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional as F

from zoo.models.bipvl.fusion import Fused

HIDDEN = 2048
"""Width of the MLPs at every stage [released code]."""


class NarrowAttention(nn.Module):
    """Multi-head attention whose inner width may be smaller than the width of the tokens.

    Args:
        width: Channels d of queries, keys, values and output.
        inner: Channels of all heads together.
        heads: Attention heads.
    """

    def __init__(self, width: int, inner: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value = (nn.Linear(width, inner) for _ in range(3))
        self.out = nn.Linear(inner, width)

    def forward(self, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None) -> Tensor:
        """Attend: [B, N, d] x [B, M, d] -> [B, N, d]. `mask` is bool [B, M], True for a real token."""
        q, k, v = (
            layer(x).unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for layer, x in ((self.query, query), (self.key, key), (self.value, value))
        )
        kept = None if mask is None else mask[:, None, None, :]
        out: Tensor = self.out(F.scaled_dot_product_attention(q, k, v, kept).transpose(1, 2).flatten(2))
        return out


class TwoWayBlock(nn.Module):
    """Attention of text to text, of text to image and of image to text, each with a norm after the residual.

    Args:
        width: Channels d of both sides.
        heads: Attention heads; d and d/2 are multiples of it.
        first: Whether this is the first block of a stage. Its self-attention has neither a residual nor P.
    """

    def __init__(self, width: int, heads: int, *, first: bool) -> None:
        super().__init__()
        self.first = first
        self.text_self = NarrowAttention(width, width, heads)
        self.text_cross, self.vision_cross = (NarrowAttention(width, width // 2, heads) for _ in range(2))
        self.text_mlp, self.vision_mlp = (
            nn.Sequential(nn.Linear(width, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, width)) for _ in range(2)
        )
        self.text_norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(3))
        self.vision_norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(2))

    def forward(self, text: Tensor, place: Tensor, vision: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Update text and image.

        Args:
            text: T [B, L, d].
            place: P [B, L, d].
            vision: V [B, N, d].
            mask: Bool [B, L], True for a real token.
        """
        if self.first:
            text = self.text_self(text, text, text, mask)
        else:
            query = text + place
            text = text + self.text_self(query, query, text, mask)
        text = self.text_norms[0](text)
        text = self.text_norms[1](text + self.text_cross(text + place, vision, vision))
        text = self.text_norms[2](text + self.text_mlp(text))
        vision = self.vision_norms[0](vision + self.vision_cross(vision, text + place, text, mask))
        return text, self.vision_norms[1](vision + self.vision_mlp(vision))


class TwoWayFusion(nn.Module):
    """One stage of the fusion of the released code.

    As released, image tokens have no position and no self-attention, and the result replaces the text tokens.
    One defect is repaired: the release attends to padding, so that the logits of a sample depend on the length
    of the other texts. Here padding is masked.

    Args:
        vision_width: Channels d of the image tokens and of the attention.
        text_width: Channels of the text tokens. They are projected to d and back where the two widths differ,
            which is the case at all stages but the last in the released sizes.
        heads: Attention heads (8 in the release).
    """

    def __init__(self, vision_width: int, text_width: int, heads: int) -> None:
        super().__init__()
        same = vision_width == text_width
        self.text_in = nn.Identity() if same else nn.Linear(text_width, vision_width)
        self.blocks = nn.ModuleList(TwoWayBlock(vision_width, heads, first=i == 0) for i in range(2))
        self.last_cross = NarrowAttention(vision_width, vision_width // 2, heads)
        self.last_norm = nn.LayerNorm(vision_width)
        self.text_out = nn.Identity() if same else nn.Linear(vision_width, text_width)

    def forward(self, text: Tensor, mask: Tensor, vision: Tensor, size: Sequence[int]) -> Fused:
        """See `BidirectionalFusion.forward`. `size` is not used, because image tokens have no position here."""
        place = text = self.text_in(F.normalize(text, dim=-1))
        for block in self.blocks:
            text, vision = block(text, place, vision, mask)
        text = self.last_norm(text + self.last_cross(text + place, vision, vision))
        return Fused(self.text_out(text), vision, None)
