"""`Output`, the result of a model's network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor


@dataclass(frozen=True)
class Output:
    """The result of `SegModule.forward_features`.

    Attributes:
        logits: Logits of the classes, [B, K, *S].
        extra: Values that the model's losses need besides the logits, by name.

    Example:
        >>> import torch
        >>> output = Output(torch.zeros(1, 2, 8, 8))
        >>> tuple(output.logits.shape), dict(output.extra)
        ((1, 2, 8, 8), {})
    """

    logits: Tensor
    extra: Mapping[str, Any] = field(default_factory=dict)
