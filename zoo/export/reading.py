"""How a network reads its text: as rows of encoded strings, which an exported graph takes in place of strings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from zoo.encoders.text import TextEncoder
from zoo.encoders.text_backbone import TextTokens
from zoo.errors import ConfigError
from zoo.models.base import SegModule
from zoo.models.read_text import MakeStrings, encode_strings, given_rows
from zoo.types import Text

PARTS = ("text_tokens", "text_mask", "text_pooled")
"""The inputs of a graph that a text gives: `TextTokens` by part."""


@dataclass(frozen=True)
class Reading:
    """What a network reads of a text, for each image of a batch.

    Attributes:
        encoder: The text encoder.
        make_strings: Makes the B * n strings of a text and a batch of B images.
        stop: The number of layers of the encoder that run before the network; None: all.
        per_image: Whether each image has strings of its own, as with reports; else all images share n strings.
        parts: The parts that reach the logits, some of `PARTS`.
    """

    encoder: TextEncoder
    make_strings: MakeStrings
    stop: int | None
    per_image: bool
    parts: tuple[str, ...] = PARTS

    def strings(self, text: Text, batch: int) -> list[list[str]]:
        """List the n strings of each of B images; those of one image where all images share them."""
        strings = list(self.make_strings(text, batch))
        rows = len(strings) // batch
        listed = [strings[start : start + rows] for start in range(0, len(strings), rows)]
        return listed if self.per_image else listed[:1]

    def encode(self, strings: Sequence[str]) -> TextTokens:
        """Encode strings as the network would."""
        return encode_strings(self.encoder, strings, self.stop)

    def inputs(self, encoded: TextTokens) -> dict[str, Tensor]:
        """Return the encoded rows of the used parts, [B, n, ...], or [n, ...] where all images share them.

        Args:
            encoded: The rows, [B * n, ...] or [n, ...].
        """
        return {name: part for name, part in zip(PARTS, encoded, strict=True) if name in self.parts}


def find_reading(model: SegModule, image: Tensor, text: Text) -> tuple[Reading | None, TextTokens | None]:
    """Run a network once, and note how it reads a text.

    Args:
        model: The model, in evaluation mode.
        image: One image, [1, C, *S].
        text: Its text.

    Returns:
        The reading, and the n rows of this text. None where the network has no text encoder.

    Raises:
        ConfigError: The network reads strings in another way than `zoo.models.read_text.read_rows`, or twice.
    """
    found: list[tuple[Reading, TextTokens]] = []

    def note(encoder: TextEncoder, _: Tensor, make_strings: MakeStrings, stop: int | None) -> TextTokens:
        own_text = text.reports is not None and model.use_text
        reading = Reading(encoder, make_strings, stop, own_text)
        encoded = reading.encode(make_strings(text, 1))
        rows = TextTokens(*(part.detach().clone().requires_grad_(part.is_floating_point()) for part in encoded))
        found.append((reading, rows))
        return rows

    if not any(isinstance(part, TextEncoder) for part in model.modules()):
        return None, None
    with torch.enable_grad(), given_rows(note):
        logits = model.predict_window(image, text)
    if len(found) != 1:
        raise ConfigError(
            f"{type(model).__name__} reads its text {len(found)} times, and a graph takes it once.",
            "Read it with one call of `zoo.models.read_text.read_rows`.",
        )
    reading, rows = found[0]
    tokens, pooled = torch.autograd.grad(logits.sum(), [rows.tokens, rows.pooled], allow_unused=True)
    parts = (*(PARTS[:2] if tokens is not None else ()), *(PARTS[2:] if pooled is not None else ()))
    return replace(reading, parts=parts), TextTokens(*(part.detach() for part in rows))


@contextmanager
def rows_from(reading: Reading | None, given: Sequence[Tensor]) -> Iterator[None]:
    """Let a network read tensors in place of strings: one per part of the reading, as `Reading.inputs` returns them."""
    if reading is None:
        yield
        return
    named = dict(zip(reading.parts, given, strict=True))
    per_image = reading.per_image

    def take(_: TextEncoder, image: Tensor, __: MakeStrings, ___: int | None) -> TextTokens:
        batch = image.shape[0]
        spread = [
            None if part is None else (part if per_image else part[None].expand(batch, *part.shape)).flatten(0, 1)
            for part in (named.get(name) for name in PARTS)
        ]
        known = next(part for part in spread if part is not None)
        return TextTokens(*(known.new_zeros(known.shape[0], 0) if part is None else part for part in spread))

    with given_rows(take):
        yield
