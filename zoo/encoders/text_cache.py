"""Encoded strings, kept so that none is encoded twice."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from zoo.encoders.text_backbone import TextTokens


class StringCache:
    """String to its tokens without padding and its pooled vector.

    It holds every string it has seen: 4 * W bytes a token, so 10,000 reports of 40 tokens at width
    768 take 1.2 GB; the sets at hand have tens to hundreds of distinct strings.
    """

    def __init__(self) -> None:
        self._rows: dict[str, tuple[Tensor, Tensor]] = {}

    def __len__(self) -> int:
        return len(self._rows)

    def clear(self) -> None:
        """Forget everything."""
        self._rows.clear()

    def missing(self, strings: Iterable[str]) -> list[str]:
        """The distinct strings that are not here, in their order."""
        return [string for string in dict.fromkeys(strings) if string not in self._rows]

    def put(self, strings: Sequence[str], encoded: TextTokens) -> None:
        """Keep N encoded strings."""
        for string, tokens, mask, pooled in zip(strings, *encoded, strict=True):
            self._rows[string] = (tokens[mask], pooled.clone())  # a copy: a view would keep its whole batch alive

    def gather(self, strings: Sequence[str], device: torch.device) -> TextTokens:
        """N strings, all of them here, padded to the longest of them. The result may be written to."""
        distinct = list(dict.fromkeys(strings))
        for string in distinct:
            tokens, pooled = self._rows[string]
            if tokens.device != device:
                self._rows[string] = (tokens.to(device), pooled.to(device))
        rows = [self._rows[string] for string in distinct]
        tokens = pad_sequence([row[0] for row in rows], batch_first=True)
        lengths = torch.tensor([len(row[0]) for row in rows], device=device)
        mask = torch.arange(tokens.shape[1], device=device) < lengths[:, None]
        return spread(TextTokens(tokens, mask, torch.stack([row[1] for row in rows])), distinct, strings)


def spread(encoded: TextTokens, distinct: Sequence[str], strings: Sequence[str]) -> TextTokens:
    """Encoded distinct strings to the N strings of the call, in their order and with their repeats."""
    if len(distinct) == len(strings):
        return encoded
    place = {string: index for index, string in enumerate(distinct)}
    index = torch.tensor([place[string] for string in strings], device=encoded.tokens.device)
    return TextTokens(*(part.index_select(0, index) for part in encoded))
