"""Multi-head attention and the feed-forward network behind it."""

from __future__ import annotations

from torch import Tensor, nn


class Attention(nn.Module):
    """Multi-head attention with a residual-free output, by `scaled_dot_product_attention`."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(width, heads, batch_first=True)

    def forward(self, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None) -> Tensor:
        """[B, N, d] x [B, M, d] -> [B, N, d]; `mask` bool [B, M], True = a real token."""
        padding = None if mask is None else ~mask
        out: Tensor = self.attention(query, key, value, key_padding_mask=padding, need_weights=False)[0]
        return out


def mlp(width: int, ratio: int = 4) -> nn.Sequential:
    """Two linear layers with a GELU between them."""
    return nn.Sequential(nn.Linear(width, ratio * width), nn.GELU(), nn.Linear(ratio * width, width))
