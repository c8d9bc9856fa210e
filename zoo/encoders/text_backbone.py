"""`TextBackbone`, the common interface of text backbones of all libraries: tokens, embeddings, layers, pooling."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from zoo.utils.hashing import hash_bytes, hash_text

Tokenise = Callable[[list[str]], list[list[int]]]
"""Strings -> token ids with the special tokens, not cut. The last id is the end token."""


class TextTokens(NamedTuple):
    """N encoded strings. L is the number of tokens of the longest string, W the width of the encoder.

    Attributes:
        tokens: Output of the last layer, [N, L, W]. Where `mask` is False it is undefined, except with a fixed
            `TextBackbone.length`: then it is the output at padding, which depends on no other string.
        mask: [N, L], True for a real token (also a special one), False for padding.
        pooled: One vector per string, [N, W]: the mean over real tokens for a BERT, the end-of-text token for a
            CLIP. A CLIP with a BERT inside uses the pooling that it was trained with.
    """

    tokens: Tensor
    mask: Tensor
    pooled: Tensor


class Embedded(NamedTuple):
    """N strings before the first layer: `hidden` [N, L, W] and `mask` [N, L] as in `TextTokens`."""

    hidden: Tensor
    mask: Tensor


class Tokens(NamedTuple):
    """Token ids and mask [N, L] of N strings; `cut` is the number of strings that are too long for the encoder."""

    ids: Tensor
    mask: Tensor
    cut: int


class TextBackbone(nn.Module):
    """A stack of transformer layers over tokens. A sub-class defines embedding, layers and pooling.

    Args:
        tokenise: Strings -> ids.
        vocabulary: Token -> id. The backbone keeps only the hash.
        width: Channels of a token.
        depth: Number of layers.
        max_length: Largest number of tokens that the backbone reads, with the special tokens.
        pad_id: Id of padding.

    Attributes:
        length: Number of tokens to which every string is cut or padded; None: strings are padded to the longest.

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
        self.length: int | None = None

    @property
    def limit(self) -> int:
        """Largest number of tokens of a string."""
        return min(self.length or self.max_length, self.max_length)

    def batch(self, strings: Sequence[str]) -> Tokens:
        """Tokenise N strings and pad them to the longest, or to `length`. A cut string keeps its end token."""
        rows = self.tokenise(list(strings))
        cut = sum(len(row) > self.limit for row in rows)
        rows = [row if len(row) <= self.limit else [*row[: self.limit - 1], row[-1]] for row in rows]
        ids = torch.full((len(rows), self.limit if self.length else max(map(len, rows))), self.pad_id)
        for line, row in zip(ids, rows, strict=True):
            line[: len(row)] = torch.tensor(row)
        lengths = torch.tensor([len(row) for row in rows])
        return Tokens(ids, torch.arange(ids.shape[1]) < lengths[:, None], cut)

    def embed(self, ids: Tensor) -> Tensor:
        """Embed token ids [N, L] for the first layer, [N, L, W]."""
        raise NotImplementedError

    def run(self, hidden: Tensor, mask: Tensor, start: int, stop: int) -> Tensor:
        """Run the layers `start` to `stop - 1` on [N, L, W]. No real token attends to padding."""
        raise NotImplementedError

    def finish(self, hidden: Tensor, mask: Tensor) -> TextTokens:
        """Apply the norm after the last layer, if any, and the pooling."""
        raise NotImplementedError

    def weights_hash(self) -> str:
        """Compute the SHA-256 of all weights in their order, without names, because libraries rename weights."""

        def chunks() -> Iterator[bytes | memoryview]:
            for weight in self.parameters():
                flat = weight.detach().cpu().contiguous().flatten()
                yield f"{flat.dtype}{tuple(weight.shape)}".encode()
                yield flat.view(torch.uint8).numpy().data

        return hash_bytes(chunks())


def mean_of_real(tokens: Tensor, mask: Tensor) -> Tensor:
    """Average over the real tokens: [N, L, W] and [N, L] -> [N, W]."""
    weight = mask.unsqueeze(-1).to(tokens.dtype)
    return (tokens * weight).sum(1) / weight.sum(1)
