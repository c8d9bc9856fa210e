"""Multi-head attention, a feed-forward network, and a layer of both."""

from __future__ import annotations

from math import gcd

import torch
from torch import Tensor, nn


class Attention(nn.Module):
    """Multi-head attention without a residual, by `scaled_dot_product_attention`."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(width, heads, batch_first=True)

    def forward(
        self, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None, causal: bool = False
    ) -> Tensor:
        """Attend: [B, N, d] x [B, M, d] -> [B, N, d].

        Args:
            query: What asks.
            key: What is compared with a query.
            value: What is averaged.
            mask: [B, M], of each key: bool, True for a real token; or a number that is added to its scores.
            causal: A query reads no key of a later number.
        """
        padding = ~mask if mask is not None and mask.dtype == torch.bool else mask
        later = None
        if causal:
            later = query.new_full((query.shape[1], key.shape[1]), -torch.inf).triu(1)
            if padding is not None and padding.dtype == torch.bool:  # both masks have one type
                padding = query.new_zeros(padding.shape).masked_fill(padding, -torch.inf)
        options = {"key_padding_mask": padding, "attn_mask": later, "need_weights": False}
        out: Tensor = self.attention(query, key, value, **options)[0]
        return out


def mlp(width: int, ratio: int = 4) -> nn.Sequential:
    """Build two linear layers with a GELU between them."""
    return nn.Sequential(nn.Linear(width, ratio * width), nn.GELU(), nn.Linear(ratio * width, width))


class ExchangeLayer(nn.Module):
    """A post-norm layer: attention of tokens to themselves, to those of another modality, a feed-forward network.

    Args:
        width: Channels of both modalities.
        heads: Most heads; fewer where they do not divide the width.
        hidden: Hidden channels of the feed-forward network.
        dropout: Share of values that are set to zero in training.
        alone: There is no other modality.
    """

    def __init__(self, width: int, heads: int, hidden: int, dropout: float, alone: bool = False) -> None:
        super().__init__()
        self.own = Attention(width, gcd(width, heads))
        self.other = None if alone else Attention(width, gcd(width, heads))
        self.mlp = nn.Sequential(nn.Linear(width, hidden), nn.ReLU(), nn.Dropout(dropout), nn.Linear(hidden, width))
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(2 if alone else 3))
        self.dropout = nn.Dropout(dropout)

    def forward(
        self,
        x: Tensor,
        place: Tensor,
        mask: Tensor | None = None,
        y: Tensor | None = None,
        place_y: Tensor | float = 0.0,
        mask_y: Tensor | None = None,
        causal: bool = False,
    ) -> Tensor:
        """Change tokens [B, N, C] by themselves and by others [B, M, C].

        Args:
            x: The tokens.
            place: Their positions, which queries and keys have.
            mask: Mask of the tokens; see `Attention`.
            y: The others; None in a layer that is `alone`.
            place_y: Their positions.
            mask_y: Their mask.
            causal: A token reads no later one of its own modality.
        """
        query = x + place
        x = self.norms[0](x + self.dropout(self.own(query, query, x, mask, causal)))
        if self.other is not None and y is not None:
            x = self.norms[1](x + self.dropout(self.other(x + place, y + place_y, y, mask_y)))
        out: Tensor = self.norms[-1](x + self.dropout(self.mlp(x)))
        return out
