"""What every text backbone offers, whichever library it comes from: tokens, embeddings, layers, an end."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from zoo.utils.hashing import hash_bytes, hash_text

Tokenise = Callable[[list[str]], list[list[int]]]
"""Strings to token ids with the special tokens around them, uncut; the last id is the end token."""


class TextTokens(NamedTuple):
    """N encoded strings, L tokens the longest of them, W the encoder's width.

    Attributes:
        tokens: Output of the last layer, [N, L, W]; undefined where `mask` is False.
        mask: [N, L], True for a real token (the special ones included), False for padding.
        pooled: One vector a string, [N, W]: the mean over real tokens for BERT-likes, the
            end-of-text token for CLIP, what the backbone was trained with where a CLIP has a BERT inside.
    """

    tokens: Tensor
    mask: Tensor
    pooled: Tensor


class Embedded(NamedTuple):
    """N strings before the first layer: `hidden` [N, L, W] and `mask` [N, L] as in `TextTokens`."""

    hidden: Tensor
    mask: Tensor


class Tokens(NamedTuple):
    """N token rows of one length: `ids` and `mask` [N, L]; `cut` of the N were longer than the encoder reads."""

    ids: Tensor
    mask: Tensor
    cut: int


class TextBackbone(nn.Module):
    """A stack of transformer layers over tokens; sub-classes say how it begins, goes on and ends.

    Args:
        tokenise: Strings to ids.
        vocabulary: Token to id; only its hash is kept.
        width: Channels of a token.
        depth: Number of layers.
        max_length: Most tokens that the backbone reads, special ones included.
        pad_id: Id that fills short rows.

    Example:
        >>> from zoo.encoders import build_text_encoder
        >>> backbone = build_text_encoder("tiny").backbone
        >>> backbone.batch(["A lesion.", "Two small lesions."]).mask.sum(1).tolist()
        [5, 6]
    """

    def __init__(
        self, tokenise: Tokenise, vocabulary: Mapping[str, int], width: int, depth: int, max_length: int, pad_id: int
    ) -> None:
        super().__init__()
        self.tokenise = tokenise
        self.vocabulary_hash = hash_text(repr(sorted(vocabulary.items())))
        self.width = width
        self.depth = depth
        self.max_length = max_length
        self.pad_id = pad_id

    def batch(self, strings: Sequence[str]) -> Tokens:
        """Token ids of N strings, padded to the longest. A cut row keeps its end token."""
        rows = self.tokenise(list(strings))
        cut = sum(len(row) > self.max_length for row in rows)
        rows = [row if len(row) <= self.max_length else [*row[: self.max_length - 1], row[-1]] for row in rows]
        ids = torch.full((len(rows), max(map(len, rows))), self.pad_id)
        for line, row in zip(ids, rows, strict=True):
            line[: len(row)] = torch.tensor(row)
        lengths = torch.tensor([len(row) for row in rows])
        return Tokens(ids, torch.arange(ids.shape[1]) < lengths[:, None], cut)

    def embed(self, ids: Tensor) -> Tensor:
        """Token ids [N, L] to what the first layer takes, [N, L, W]."""
        raise NotImplementedError

    def run(self, hidden: Tensor, mask: Tensor, start: int, stop: int) -> Tensor:
        """The layers `start` to `stop - 1` on [N, L, W]; padding is attended by no real token."""
        raise NotImplementedError

    def finish(self, hidden: Tensor, mask: Tensor) -> TextTokens:
        """What comes after the last layer: its norm, if any, and the pooling."""
        raise NotImplementedError

    def weights_hash(self) -> str:
        """sha256 over all weights, in the backbone's order; names are left out, as libraries rename them."""

        def chunks() -> Iterator[bytes | memoryview]:
            for weight in self.parameters():
                flat = weight.detach().cpu().contiguous().flatten()
                yield f"{flat.dtype}{tuple(weight.shape)}".encode()
                yield flat.view(torch.uint8).numpy().data

        return hash_bytes(chunks())


def mean_of_real(tokens: Tensor, mask: Tensor) -> Tensor:
    """Mean over the real tokens: [N, L, W] and [N, L] to [N, W]."""
    weight = mask.unsqueeze(-1).to(tokens.dtype)
    return (tokens * weight).sum(1) / weight.sum(1)
