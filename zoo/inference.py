"""Logits of whole images, by a sliding window where an image exceeds the patch."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from monai.inferers import SlidingWindowInferer
from torch import Tensor

from zoo.types import Text


def predict_logits(
    forward: Callable[[Tensor, Text], Tensor],
    image: Tensor,
    text: Text,
    patch: Sequence[int],
    overlap: float,
) -> Tensor:
    """Compute the logits of whole images; where an image exceeds the patch, by a sliding window.

    Overlapping windows are averaged with Gaussian weights, so that the centre of a window counts most.

    Args:
        forward: The forward function of a model: ([B, C, *S], text) -> [B, K, *S].
        image: [B, C, *S].
        text: The text of the B images.
        patch: Window size per axis of S, in voxels.
        overlap: Share of a window that the next window covers too, in [0, 1).

    Returns:
        [B, K, *S].
    """
    if all(size <= window for size, window in zip(image.shape[2:], patch, strict=True)):
        return forward(image, text)
    window = SlidingWindowInferer(roi_size=tuple(patch), sw_batch_size=1, overlap=overlap, mode="gaussian")
    parts = []
    for i in range(len(image)):
        # One image at a time, so that each window gets the report of its own image.
        single = Text(text.classes, None if text.reports is None else text.reports[i : i + 1])
        parts.append(window(image[i : i + 1], lambda x, single=single: forward(x, single)))
    return torch.cat(parts)
