"""Bidirectional fusion of text tokens and image tokens: BiPVL-Seg's BiFusion block.

The block of the authors' figure, whose formulas a secondary summary spells out:

    T' = SA(LN(T)),  V' = SA(LN(V))
    T^ = T' + MLP_T(CA(q=T', kv=V'))
    V^ = V' + MLP_V(CA(q=V', kv=T^))        (the text is already updated)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from torch import Tensor, nn

from zoo.layers.attention import Attention, mlp
from zoo.layers.tokens import positions


class Fused(NamedTuple):
    """What a fusion gives.

    Attributes:
        text: The text stream [B, L, text width], for the next text layers.
        vision: The image tokens [B, N, d], for the next vision stage.
        seen: V' [B, N, d], which further strings may `read`; None where the block has no such tokens.
    """

    text: Tensor
    vision: Tensor
    seen: Tensor | None


class BidirectionalFusion(nn.Module):
    """One stage of the fusion.

    Where this departs from the figure, on purpose: the self-attentions keep a residual (without it
    the block throws the encoder's features away at the start); image tokens know their position
    (or "left" could not mean anything); what returns to the text is added to the text's own
    stream through a layer that starts at zero, so that pre-trained text layers first see their
    own hidden states; padding tokens are masked.

    Args:
        vision_width: Channels d of the image tokens; attention runs at this width.
        text_width: Channels of the text tokens.
        heads: Attention heads.
    """

    def __init__(self, vision_width: int, text_width: int, heads: int) -> None:
        super().__init__()
        self.place = nn.Linear(vision_width, vision_width)
        self.text_in = nn.Linear(text_width, vision_width)
        self.text_norm, self.vision_norm = nn.LayerNorm(vision_width), nn.LayerNorm(vision_width)
        self.text_self, self.vision_self = Attention(vision_width, heads), Attention(vision_width, heads)
        self.text_cross, self.vision_cross = Attention(vision_width, heads), Attention(vision_width, heads)
        self.text_query, self.vision_query = nn.LayerNorm(vision_width), nn.LayerNorm(vision_width)
        self.text_mlp, self.vision_mlp = mlp(vision_width), mlp(vision_width)
        self.text_out = nn.Linear(vision_width, text_width)
        nn.init.zeros_(self.text_out.weight)
        nn.init.zeros_(self.text_out.bias)

    def forward(self, text: Tensor, mask: Tensor, vision: Tensor, size: Sequence[int]) -> Fused:
        """Let text and image exchange what they know.

        Args:
            text: [B, L, text width].
            mask: [B, L], True = a real token.
            vision: [B, N, d].
            size: Of the grid that the N image tokens lie on.
        """
        seen = self.see(vision, size)
        text, read = self.read(text, mask, seen)
        return Fused(text, self.write(seen, read, mask), seen)

    def see(self, vision: Tensor, size: Sequence[int]) -> Tensor:
        """V' of image tokens [B, N, d] that lie on a grid of `size`."""
        vision = vision + self.place(positions(size, vision.shape[-1], vision.device))
        normed = self.vision_norm(vision)
        seen: Tensor = vision + self.vision_self(normed, normed, normed)
        return seen

    def read(self, text: Tensor, mask: Tensor, seen: Tensor) -> tuple[Tensor, Tensor]:
        """Text [B, L, text width] attends to V': the text stream after it, and T^ [B, L, d]."""
        inner = self.text_in(text)
        normed = self.text_norm(inner)
        inner = inner + self.text_self(normed, normed, normed, mask)
        read = inner + self.text_mlp(self.text_cross(self.text_query(inner), seen, seen))
        return text + self.text_out(read), read

    def write(self, seen: Tensor, read: Tensor, mask: Tensor) -> Tensor:
        """V' attends to T^: the fused image tokens V^ [B, N, d]."""
        written: Tensor = seen + self.vision_mlp(self.vision_cross(self.vision_query(seen), read, read, mask))
        return written
