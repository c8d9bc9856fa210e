"""Functions that encode the text of a batch.

`torch.compile` does not trace them, for two reasons. Tokenisers are not written in Python. And it would compile
again for each new report, because it takes a string for a constant. A model calls one of them before anything
else, so its network is one graph.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, ParamSpec, TypeVar

import torch
from torch import Tensor

from zoo.encoders.text import TextEncoder
from zoo.encoders.text_backbone import TextTokens
from zoo.text.model_inputs import class_prompts, report_strings
from zoo.types import ClassPrompt, Text

P = ParamSpec("P")
R = TypeVar("R")


def not_compiled(function: Callable[P, R]) -> Callable[P, R]:
    """Mark a function that reads strings, so that `torch.compile` calls it as it is."""
    untraced: Callable[P, R] = torch.compiler.disable(function)
    return untraced


class ReadPrompts(NamedTuple):
    """The class prompts of a batch and their embeddings.

    Attributes:
        prompts: B tuples of K prompts.
        pooled: One vector per prompt, [B, K, W].
    """

    prompts: list[tuple[ClassPrompt, ...]]
    pooled: Tensor


@not_compiled
def read_reports(encoder: TextEncoder, text: Text, image: Tensor) -> TextTokens:
    """Encode one string per image: its report, or the class sentences; see `report_strings`."""
    return encoder(report_strings(text, len(image)), image.device)  # type: ignore[no-any-return]


@not_compiled
def read_prompts(encoder: TextEncoder, text: Text, image: Tensor) -> ReadPrompts:
    """Encode the sentence of each class and image; see `class_prompts`."""
    prompts = class_prompts(text, len(image))
    pooled = encoder([prompt.sentence for row in prompts for prompt in row], image.device).pooled
    return ReadPrompts(prompts, pooled.unflatten(0, (len(image), -1)))


@not_compiled
def read_prompt_tokens(encoder: TextEncoder, text: Text, image: Tensor) -> TextTokens:
    """Encode the sentence of each class and image with its tokens: B times K strings, the K of an image in a row."""
    prompts = class_prompts(text, len(image))
    return encoder([prompt.sentence for row in prompts for prompt in row], image.device)  # type: ignore[no-any-return]
