"""`TokenPacking`: the tokens of several strings as one sequence per sample, without padding between the strings."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


class TokenPacking:
    """The places of the real tokens of S strings in R sequences.

    Only a sequence that is shorter than the longest one has padding, at its end. Strings differ in length, so padding
    between them would take a large part of the time of a fusion.

    Args:
        mask: Bool [S, L], True for a real token.
        rows: The sequence of each string. The strings of a sequence stand one after the other.

    Attributes:
        mask: Bool [R, M], True for a real token of a sequence; M is the length of the longest one.

    Example:
        >>> packing = TokenPacking(torch.tensor([[True, True], [True, False]]), rows=[0, 0])
        >>> packing.pack(torch.tensor([[[1.0], [2.0]], [[3.0], [0.0]]])).flatten().tolist()
        [1.0, 2.0, 3.0]
    """

    def __init__(self, mask: Tensor, rows: Sequence[int]) -> None:
        self._shape = mask.shape
        self._real = mask.flatten().nonzero()[:, 0]
        row = torch.tensor(rows, device=mask.device).repeat_interleave(mask.shape[1]).index_select(0, self._real)
        counts = torch.bincount(row)
        longest = int(counts.max())
        starts = counts.cumsum(0) - counts
        self._places = row * longest + torch.arange(len(row), device=row.device) - starts[row]
        self.mask = torch.arange(longest, device=row.device) < counts[:, None]

    def pack(self, tokens: Tensor) -> Tensor:
        """Put tokens of strings [S, L, W] into the sequences, [R, M, W]."""
        return _move(tokens, self._real, self._places, self.mask.shape)

    def unpack(self, packed: Tensor) -> Tensor:
        """Put tokens of the sequences [R, M, W] back into strings, [S, L, W], with zeros at padded places."""
        return _move(packed, self._places, self._real, self._shape)


class PaddedRows:
    """As `TokenPacking`, with the padding between the strings: its shapes do not depend on the lengths of the strings.

    An exported graph needs this. The results are the same, because no attention reads padding.

    Args:
        mask: Bool [S, L], True for a real token.
        rows: The number R of sequences; each has S / R strings.

    Attributes:
        mask: Bool [R, S / R * L].

    Example:
        >>> rows = PaddedRows(torch.tensor([[True, True], [True, False]]), rows=1)
        >>> rows.pack(torch.tensor([[[1.0], [2.0]], [[3.0], [0.0]]])).flatten().tolist()
        [1.0, 2.0, 3.0, 0.0]
    """

    def __init__(self, mask: Tensor, rows: int) -> None:
        self._rows, self._length = rows, mask.shape[1]
        self.mask = mask.unflatten(0, (rows, -1)).flatten(1)

    def pack(self, tokens: Tensor) -> Tensor:
        """Put tokens of strings [S, L, W] into the sequences, [R, M, W]."""
        packed: Tensor = tokens.unflatten(0, (self._rows, -1)).flatten(1, 2)
        return packed

    def unpack(self, packed: Tensor) -> Tensor:
        """Put tokens of the sequences [R, M, W] back into strings, [S, L, W]."""
        tokens: Tensor = packed.unflatten(1, (-1, self._length)).flatten(0, 1)
        return tokens


def _move(tokens: Tensor, source: Tensor, target: Tensor, shape: Sequence[int]) -> Tensor:
    count, length = shape
    moved = tokens.flatten(0, 1).index_select(0, source)
    return moved.new_zeros(count * length, tokens.shape[-1]).index_copy(0, target, moved).view(count, length, -1)
