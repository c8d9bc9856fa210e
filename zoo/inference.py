"""Logits of whole images, by a sliding window where an image exceeds the patch."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from monai.inferers import SlidingWindowInferer
from torch import Tensor

from zoo.types import Text


def whole_logits(
    forward: Callable[[Tensor, Text], Tensor],
    image: Tensor,
    text: Text,
    patch: Sequence[int],
    overlap: float,
) -> Tensor:
    """Logits of whole images, by a sliding window with Gaussian weights where they exceed the patch.

    Args:
        forward: A model's forward: ([B, C, *S], text) -> [B, K, *S].
        image: [B, C, *S].
        text: The text of the B samples.
        patch: Window size on each axis of S.
        overlap: Share of a window that its neighbour covers again, in [0, 1).

    Returns:
        [B, K, *S].
    """
    if all(size <= window for size, window in zip(image.shape[2:], patch, strict=True)):
        return forward(image, text)
    window = SlidingWindowInferer(roi_size=tuple(patch), sw_batch_size=1, overlap=overlap, mode="gaussian")
    parts = []
    for i in range(len(image)):
        # One window at a time, so that the sample's own report stands beside it.
        single = Text(text.classes, None if text.reports is None else text.reports[i : i + 1])
        parts.append(window(image[i : i + 1], lambda x, single=single: forward(x, single)))
    return torch.cat(parts)
