"""Multi-head attention and a feed-forward network."""

from __future__ import annotations

from torch import Tensor, nn


class Attention(nn.Module):
    """Multi-head attention without a residual, by `scaled_dot_product_attention`."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(width, heads, batch_first=True)

    def forward(self, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None) -> Tensor:
        """Attend: [B, N, d] x [B, M, d] -> [B, N, d]. `mask` is bool [B, M], True for a real token."""
        padding = None if mask is None else ~mask
        out: Tensor = self.attention(query, key, value, key_padding_mask=padding, need_weights=False)[0]
        return out


def mlp(width: int, ratio: int = 4) -> nn.Sequential:
    """Build two linear layers with a GELU between them."""
    return nn.Sequential(nn.Linear(width, ratio * width), nn.GELU(), nn.Linear(ratio * width, width))
