"""Logits of whole images, by a sliding window where an image exceeds the patch."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import combinations

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
    most: int | None = None,
) -> Tensor:
    """Compute the logits of whole images; where an image exceeds the patch, by a sliding window.

    Overlapping windows are averaged with Gaussian weights, so that the centre of a window counts most.

    Args:
        forward: The forward function of a model: ([B, C, *S], text) -> [B, K, *S].
        image: [B, C, *S].
        text: The text of the B images.
        patch: Window size per axis of S, in voxels.
        overlap: Share of a window that the next window covers too, in [0, 1).
        most: Largest number of windows per image. Only the middle of a larger image is then computed, and the logits
            around it are 0, which is background. None: the whole image.

    Returns:
        [B, K, *S].
    """
    middle = None if most is None else middle_of(image.shape[2:], patch, overlap, most)
    if middle is not None:
        place = (slice(None), slice(None), *middle)
        inside = predict_logits(forward, image[place], text, patch, overlap)
        logits = inside.new_zeros(*inside.shape[:2], *image.shape[2:])
        logits[place] = inside
        return logits
    if all(size <= window for size, window in zip(image.shape[2:], patch, strict=True)):
        return forward(image, text)
    window = SlidingWindowInferer(roi_size=tuple(patch), sw_batch_size=1, overlap=overlap, mode="gaussian")
    parts = []
    for i in range(len(image)):
        # One image at a time, so that each window gets the report of its own image.
        single = Text(text.classes, None if text.reports is None else text.reports[i : i + 1])
        parts.append(window(image[i : i + 1], lambda x, single=single: forward(x, single)))
    return torch.cat(parts)


def average_mirrored(
    forward: Callable[[Tensor, Text], Tensor], axes: Sequence[int]
) -> Callable[[Tensor, Text], Tensor]:
    """Build the mean of a forward function over an image and its mirrors along all subsets of some axes.

    Args:
        forward: The forward function of a model that reads no text: a text may name a side.
        axes: Spatial axes, 0 for the first.

    Example:
        >>> forward = average_mirrored(lambda image, text: image.cumsum(-1), [1])
        >>> forward(torch.ones(1, 1, 2, 3), Text(())).tolist()
        [[[[2.0, 2.0, 2.0], [2.0, 2.0, 2.0]]]]
    """
    subsets = [[axis + 2 for axis in some] for n in range(len(axes) + 1) for some in combinations(axes, n)]

    def mean(image: Tensor, text: Text) -> Tensor:
        total = torch.stack([forward(image.flip(some), text).flip(some) for some in subsets]).mean(0)
        return total

    return mean


def middle_of(shape: Sequence[int], patch: Sequence[int], overlap: float, most: int) -> tuple[slice, ...] | None:
    """Return the part in the middle of an image that takes at most some windows; None where the image is no larger.

    Args:
        shape: Size of the image per axis.
        patch: Size of a window per axis.
        overlap: Share of a window that the next window covers too.
        most: Largest number of windows.

    Example:
        >>> middle_of((10, 40), (8, 8), 0.0, 3)
        (slice(1, 9, None), slice(8, 32, None))
    """
    steps = [max(1, int(size * (1 - overlap))) for size in patch]
    needed = [1 + max(0, -(-(n - size) // step)) for n, size, step in zip(shape, patch, steps, strict=True)]
    counts = [1] * len(shape)
    while (axis := _next_axis(counts, needed, most)) is not None:
        counts[axis] += 1
    if counts == needed:
        return None
    lengths = [size + (count - 1) * step for size, count, step in zip(patch, counts, steps, strict=True)]
    kept = [min(length, n) for length, n in zip(lengths, shape, strict=True)]
    return tuple(slice((n - length) // 2, (n - length) // 2 + length) for length, n in zip(kept, shape, strict=True))


def _next_axis(counts: Sequence[int], needed: Sequence[int], most: int) -> int | None:
    """Return the axis that lacks most windows and may have one more; None where no axis may."""
    lacking = [n - count for n, count in zip(needed, counts, strict=True)]
    axis = max(range(len(counts)), key=lacking.__getitem__)
    more = [count + (number == axis) for number, count in enumerate(counts)]
    return axis if lacking[axis] > 0 and math.prod(more) <= most else None
