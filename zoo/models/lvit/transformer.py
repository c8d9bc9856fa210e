"""The transformer of LViT: patches of the maps of a U-Net, level by level, and the report at the finest one."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import gcd, prod

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from zoo.encoders.text_backbone import TextTokens
from zoo.layers.attention import Attention
from zoo.layers.convolutions import conv_norm_relu
from zoo.layers.tokens import resample_places, to_map, to_tokens


class TokenBlock(nn.Module):
    """A pre-norm transformer layer, whose feed-forward network ends with a GELU."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.norm_1, self.norm_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = Attention(width, gcd(width, heads))
        inner, outer = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.mlp = nn.Sequential(inner, nn.GELU(), nn.Dropout(dropout), outer, nn.GELU(), nn.Dropout(dropout))

    def forward(self, x: Tensor) -> Tensor:
        """Change tokens [B, N, C]."""
        u = self.norm_1(x)
        x = x + self.attention(u, u, u)
        out: Tensor = x + self.mlp(self.norm_2(x))
        return out


class TokenLevel(nn.Module):
    """One level of the transformer: its patches, its way down and its way up.

    Args:
        dims: 2 or 3.
        width: Channels of the map and of the tokens.
        finer: Channels of the tokens of the next finer level; 0 at the finest.
        coarser: Channels of the tokens of the next coarser level; 0 at the coarsest.
        patch: Places of the map per token and axis.
        places: Learned positions per axis.
        heads: Most heads of the attention; fewer where they do not divide the width.
        dropout: Share of values that are set to zero in training.
        norm: "batch" or "instance".
    """

    def __init__(
        self,
        dims: int,
        width: int,
        finer: int,
        coarser: int,
        patch: int,
        places: int,
        heads: int,
        dropout: float,
        norm: str,
    ) -> None:
        super().__init__()
        conv = nn.Conv2d if dims == 2 else nn.Conv3d
        self.patch = patch
        self.embed = conv(width, width, kernel_size=patch, stride=patch)
        self.position = nn.Parameter(torch.zeros(1, width, *[places] * dims))
        self.dropout = nn.Dropout(dropout)
        self.down, self.up = TokenBlock(width, heads, dropout), TokenBlock(width, heads, dropout)
        self.narrow = conv_norm_relu(1, width, width // 2, norm) if finer else None
        kept = width - width // 2
        self.adapt = nn.Identity() if finer in (0, kept) else nn.Linear(finer, kept)
        self.read_coarser = conv_norm_relu(1, coarser, width, norm) if coarser else None
        self.restore = conv_norm_relu(dims, width, width, norm, kernel=1)

    def go_down(self, x: Tensor, finer: Tensor | None, text: Tensor | None) -> Tensor:
        """Compute the tokens [B, N, C] of a map, of the tokens of the finer level and, at the finest, of the text."""
        embedded = self.embed(x)
        size = embedded.shape[2:]
        placed = self.dropout(to_tokens(embedded + resample_places(self.position, size)))
        if text is not None:
            placed = placed + to_tokens(resample_places(text, size))
        tokens: Tensor = self.down(placed)
        if self.narrow is None or finer is None:
            return tokens
        return torch.cat([along_tokens(self.narrow, tokens), self.adapt(finer)], dim=2)

    def go_up(self, tokens: Tensor, coarser: Tensor | None) -> Tensor:
        """Compute the tokens of the way up from those of the way down and of the coarser level."""
        tokens = self.up(tokens)
        if self.read_coarser is None or coarser is None:
            return tokens
        return tokens + along_tokens(self.read_coarser, coarser)

    def add(self, tokens: Tensor, x: Tensor) -> Tensor:
        """Add the tokens to the map from which they come."""
        restored: Tensor = self.restore(to_map(tokens, [n // self.patch for n in x.shape[2:]]))
        return x + F.interpolate(restored, scale_factor=self.patch)


def along_tokens(conv: nn.Module, tokens: Tensor) -> Tensor:
    """Run a 1D convolution along the tokens [B, N, C]."""
    out: Tensor = conv(tokens.transpose(1, 2)).transpose(1, 2)
    return out


class TextChain(nn.Module):
    """Convolutions along the text, from the width of the encoder down to that of the finest level.

    Args:
        widths: Channels: those of the text, then those of the levels, coarsest first.
        grid: Learned positions per axis, for the released form.
        tokens: See `LViTReleased`.
        norm: "batch" or "instance".
    """

    def __init__(self, widths: Sequence[int], grid: Sequence[int], tokens: int | None, norm: str) -> None:
        super().__init__()
        self.tokens, self.grid = tokens, grid
        self.convs = nn.ModuleList(
            nn.Conv1d(wide, narrow, kernel_size=3, padding=1) for wide, narrow in pairwise(widths)
        )
        self.to_places = conv_norm_relu(1, tokens, prod(grid), norm) if tokens else None

    def forward(self, read: TextTokens) -> Tensor:
        """Compute a map [B, C, *S] for the finest tokens: of one place, or as released of the places of `grid`."""
        x, mask = read.tokens.transpose(1, 2), read.mask[:, None]
        if self.tokens:
            x = F.pad(x[:, :, : self.tokens], (0, max(self.tokens - x.shape[2], 0)))
            mask = mask.new_ones(1, 1, self.tokens)
        for conv in self.convs:
            x = conv(torch.where(mask, x, 0.0))
        if self.to_places is not None:
            return to_map(self.to_places(x.transpose(1, 2)), self.grid)
        mean = torch.where(mask, x, 0.0).sum(2) / mask.sum(2)
        return mean[(..., *(None,) * len(self.grid))]
