"""A cache of encoded strings, so that no string is encoded twice."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from zoo.encoders.text_backbone import TextTokens


class StringCache:
    """A map from a string to its tokens and its pooled vector.

    The cache keeps every string, at 4 * W bytes per token. 10,000 reports of 40 tokens at width 768 take
    1.2 GB. The data sets of the zoo have tens to hundreds of distinct strings.

    Args:
        fixed: Whether all strings have one length. Their output at padding is then kept, and else left out.
    """

    def __init__(self, fixed: bool = False) -> None:
        self._fixed = fixed
        self._rows: dict[str, tuple[Tensor, Tensor, int]] = {}

    def __len__(self) -> int:
        return len(self._rows)

    def clear(self) -> None:
        """Remove all strings."""
        self._rows.clear()

    def missing(self, strings: Iterable[str]) -> list[str]:
        """Return the distinct strings that the cache does not hold, in their order."""
        return [string for string in dict.fromkeys(strings) if string not in self._rows]

    def put(self, strings: Sequence[str], encoded: TextTokens) -> None:
        """Add N encoded strings."""
        for string, tokens, mask, pooled in zip(strings, *encoded, strict=True):
            # copies, because a view would keep the whole batch in memory
            self._rows[string] = (tokens.clone() if self._fixed else tokens[mask], pooled.clone(), int(mask.sum()))

    def gather(self, strings: Sequence[str], device: torch.device) -> TextTokens:
        """Return N cached strings, padded to the longest. The result may be changed in place."""
        distinct = list(dict.fromkeys(strings))
        for string in distinct:
            tokens, pooled, length = self._rows[string]
            if tokens.device != device:
                self._rows[string] = (tokens.to(device), pooled.to(device), length)
        rows = [self._rows[string] for string in distinct]
        tokens = pad_sequence([row[0] for row in rows], batch_first=True)
        lengths = torch.tensor([row[2] for row in rows], device=device)
        mask = torch.arange(tokens.shape[1], device=device) < lengths[:, None]
        return spread(TextTokens(tokens, mask, torch.stack([row[1] for row in rows])), distinct, strings)


def spread(encoded: TextTokens, distinct: Sequence[str], strings: Sequence[str]) -> TextTokens:
    """Order the encoded distinct strings as the N strings of a call, with repeats."""
    if len(distinct) == len(strings):
        return encoded
    place = {string: index for index, string in enumerate(distinct)}
    index = torch.tensor([place[string] for string in strings], device=encoded.tokens.device)
    return TextTokens(*(part.index_select(0, index) for part in encoded))
