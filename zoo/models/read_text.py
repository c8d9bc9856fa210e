"""Functions that encode the text of a batch.

`torch.compile` does not trace them, for two reasons. Tokenisers are not written in Python. And it would compile
again for each new report, because it takes a string for a constant. A model calls one of them before anything
else, so its network is one graph.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import ParamSpec, TypeVar

import torch
from torch import Tensor

from zoo.encoders.text import TextEncoder
from zoo.encoders.text_backbone import TextTokens
from zoo.text.model_inputs import class_prompts, report_strings
from zoo.types import Text

P = ParamSpec("P")
R = TypeVar("R")


def not_compiled(function: Callable[P, R]) -> Callable[P, R]:
    """Mark a function that reads strings, so that `torch.compile` calls it as it is."""
    untraced: Callable[P, R] = torch.compiler.disable(function)
    return untraced


MakeStrings = Callable[[Text, int], Sequence[str]]
"""Makes the B * n strings of a text and a batch of B images, the n of an image in a row."""

GivenRows = Callable[[TextEncoder, Tensor, MakeStrings, "int | None"], TextTokens]
"""Gives encoded rows in place of `read_rows`, from its arguments without the text."""

_given: ContextVar[GivenRows | None] = ContextVar("given_rows", default=None)


@contextmanager
def given_rows(give: GivenRows) -> Iterator[None]:
    """Let every network read given rows in place of strings, as an exported graph does."""
    token = _given.set(give)
    try:
        yield
    finally:
        _given.reset(token)


def rows_are_given() -> bool:
    """Return whether rows are given: then shapes must not depend on the lengths of strings."""
    return _given.get() is not None


@not_compiled
def read_rows(
    encoder: TextEncoder, text: Text, image: Tensor, make_strings: MakeStrings, stop: int | None = None
) -> TextTokens:
    """Encode n strings for each of B images: B * n rows, the n of an image in a row.

    Every network reads its text through this function, so that it can be exported: where rows are given, no string is
    made, and the batch may have any size.

    Args:
        encoder: The text encoder.
        text: The text of the batch.
        image: Images, [B, C, *S].
        make_strings: Makes the strings.
        stop: The layer after the last one that is run; None: all layers and `finish`.
    """
    give = _given.get()
    if give is not None:
        return give(encoder, image, make_strings, stop)
    return encode_strings(encoder, make_strings(text, len(image)), stop, image.device)


def encode_strings(
    encoder: TextEncoder, strings: Sequence[str], stop: int | None = None, device: torch.device | None = None
) -> TextTokens:
    """Encode N strings by all layers of an encoder, or by the first ones, which give no pooled vector.

    Args:
        encoder: The text encoder.
        strings: The strings.
        stop: The layer after the last one that is run; None: all layers and `finish`.
        device: Device of the result; None: that of the encoder.
    """
    if stop is None:
        return encoder(strings, device)  # type: ignore[no-any-return]
    return without_pooled(*encoder.embed_and_run(strings, stop, device))


def without_pooled(hidden: Tensor, mask: Tensor) -> TextTokens:
    """Return tokens [N, L, W] and their mask [N, L] with a pooled vector of no channel."""
    return TextTokens(hidden, mask, hidden[:, 0, :0])


@not_compiled
def read_reports(encoder: TextEncoder, text: Text, image: Tensor) -> TextTokens:
    """Encode one string per image: its report, or the class sentences; see `report_strings`."""
    return read_rows(encoder, text, image, report_strings)


@not_compiled
def read_prompts(encoder: TextEncoder, text: Text, image: Tensor) -> Tensor:
    """Encode the sentence of each class and image as one vector, [B, K, W]; see `class_prompts`."""
    pooled = read_rows(encoder, text, image, prompt_strings).pooled
    sentences: Tensor = pooled.unflatten(0, (image.shape[0], -1))
    return sentences


@not_compiled
def read_prompt_tokens(encoder: TextEncoder, text: Text, image: Tensor) -> TextTokens:
    """Encode the sentence of each class and image with its tokens: B times K strings, the K of an image in a row."""
    return read_rows(encoder, text, image, prompt_strings)


def prompt_strings(text: Text, batch: int) -> list[str]:
    """List the sentences of `class_prompts`, the K of an image in a row."""
    return [prompt.sentence for row in class_prompts(text, batch) for prompt in row]
