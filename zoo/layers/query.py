"""Queries that read an image: layers of cross-attention and a feed-forward network, and nothing between queries.

This is the decoder of SAT and of VoxTell. A prompt is a query, and its mask does not depend on the other prompts.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from zoo.errors import ConfigError
from zoo.layers.attention import Attention
from zoo.layers.tokens import positions, to_tokens


class QueryLayer(nn.Module):
    """A pre-norm layer: cross-attention, then a feed-forward network with a ReLU.

        q = q + CA(q = LN(q), k = m + place, v = m);  q = q + W2 relu(W1 LN(q))

    Args:
        width: Channels d of queries and memory.
        heads: Heads of the cross-attention.
        hidden: Hidden channels of the feed-forward network.
        dropout: Share of dropped values after the attention, and in and after the feed-forward network.
    """

    def __init__(self, width: int, heads: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.cross_norm, self.feed_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.cross_attention = Attention(width, heads)
        self.feed = nn.Sequential(
            nn.Linear(width, hidden), nn.ReLU(), nn.Dropout(dropout), nn.Linear(hidden, width), nn.Dropout(dropout)
        )
        self.dropout = nn.Dropout(dropout)

    def forward(self, query: Tensor, key: Tensor, memory: Tensor) -> Tensor:
        """Update queries [B, K, d] by a memory [B, N, d], whose keys have positions."""
        query = query + self.dropout(self.cross_attention(self.cross_norm(query), key, memory))
        out: Tensor = query + self.feed(self.feed_norm(query))
        return out


class QueryDecoder(nn.Module):
    """Layers of `QueryLayer` and a last layer norm.

    Args:
        width: See `QueryLayer`.
        layers: Number of layers.
        heads: See `QueryLayer`.
        hidden: See `QueryLayer`.
        dropout: See `QueryLayer`.

    Raises:
        ConfigError: The width is not a multiple of the heads.
    """

    def __init__(self, width: int, layers: int, heads: int, hidden: int, dropout: float) -> None:
        super().__init__()
        if width % heads:
            raise ConfigError(
                f"--model.query_width {width} is not a multiple of --model.heads {heads}.", "Change one of the two."
            )
        self.layers = nn.ModuleList(QueryLayer(width, heads, hidden, dropout) for _ in range(layers))
        self.norm = nn.LayerNorm(width)

    def forward(self, query: Tensor, memory: Tensor) -> Tensor:
        """Let queries [B, K, d] read a map [B, d, *S] with sine and cosine of its places; return [B, K, d]."""
        tokens = to_tokens(memory)
        key = tokens + positions(memory.shape[2:], tokens.shape[2], tokens.device)
        for layer in self.layers:
            query = layer(query, key, tokens)
        out: Tensor = self.norm(query)
        return out


def prepend_background(background: Tensor | None, vectors: Tensor) -> Tensor:
    """Put the learned vector of the background [1, C] before the vectors [B, K, C] of the classes, if there is one."""
    return vectors if background is None else torch.cat([background.expand(vectors.shape[0], 1, -1), vectors], dim=1)


def add_zero_background(logits: Tensor, exclusive: bool) -> Tensor:
    """Put the logit 0 of the background before the logits [B, K, *S] of the classes, where these are exclusive."""
    return torch.cat([torch.zeros_like(logits[:, :1]), logits], dim=1) if exclusive else logits


def pool_to_deepest(maps: Sequence[Tensor]) -> list[Tensor]:
    """Average each map [B, C, *S] of a staged encoder, finest first, over the grid of the last one."""
    pool = F.avg_pool2d if maps[-1].ndim == 4 else F.avg_pool3d
    return [pool(one, 2 ** (len(maps) - 1 - level)) if one is not maps[-1] else one for level, one in enumerate(maps)]


def prior_logit(prior: float) -> float:
    """Compute the bias of a mask of which a share `prior` is foreground at the start of the training.

    Raises:
        ConfigError: The share is not between 0 and 1.
    """
    if not 0 < prior < 1:
        raise ConfigError(f"--model.prior {prior} is not a share between 0 and 1.", "Use 0.05, for example.")
    return math.log(prior / (1 - prior))
