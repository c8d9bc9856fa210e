"""Where the windows of an image are, and how much each voxel of a window counts."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from zoo.errors import ConfigError


@dataclass(frozen=True)
class WindowOptions:
    """Which windows of an image are computed, and how many at once. The defaults compute each window alone.

    Attributes:
        batch: Windows of an image per forward pass; None: 1. More fill a GPU, and may change the last digits of logits.
        skip_below: Windows whose intensities are all at most this, after normalisation, are not computed; their voxels
            have the logits of other windows alone, or are background. None: all windows are computed.

    Raises:
        ConfigError: `batch` is below 1.

    Example:
        >>> WindowOptions(batch=4).plan((96, 96, 96), 0.5, None).at_once
        4
    """

    batch: int | None = None
    skip_below: float | None = None

    def __post_init__(self) -> None:
        if self.batch is not None and self.batch < 1:
            raise ConfigError(f"--model.windows.batch {self.batch} is not 1 or more.", "Leave it out for 1.")

    def plan(self, patch: Sequence[int], overlap: float, most: int | None) -> WindowPlan:
        """Return the plan for windows of a size.

        Raises:
            ConfigError: The overlap or the largest number of windows is outside its range.
        """
        fix = "`zoo show NAME` prints the card's value."
        if not 0 <= overlap < 1:
            raise ConfigError(f"--model.overlap {overlap} is not between 0 and 1.", fix)
        if most is not None and most < 1:
            raise ConfigError(f"--model.max_windows {most} is not 1 or more.", fix)
        return WindowPlan(patch, overlap, most, self.batch or 1, self.skip_below)


class WindowPlan(NamedTuple):
    """How an image is cut into windows.

    Attributes:
        patch: Window size per axis, in voxels.
        overlap: Share of a window that the next window covers too, in [0, 1).
        most: Largest number of windows per image; None: the whole image. See `predict_logits`.
        at_once: Number of windows per forward pass.
        skip_below: Windows whose intensities are all at most this are not computed; None: all are computed.
    """

    patch: Sequence[int]
    overlap: float
    most: int | None = None
    at_once: int = 1
    skip_below: float | None = None

    def needs_windows(self, shape: Sequence[int]) -> bool:
        """Return whether an image of this shape exceeds the patch."""
        return any(size > window for size, window in zip(shape, self.patch, strict=True))

    def allow_rows(self, image: Tensor) -> bool:
        """Return whether `predict_masks` takes images [B, C, *S]: whole volumes in single precision with windows."""
        shape = image.shape[2:]
        whole = self.most is None or middle_of(shape, self.patch, self.overlap, self.most) is None
        return len(shape) == 3 and image.dtype == torch.float32 and whole and self.needs_windows(shape)

    def pad(self, image: Tensor) -> tuple[Tensor, tuple[slice, ...]]:
        """Put zeros around an image [B, C, *S] that is smaller than a window on some axis, half of them before it.

        Returns:
            The padded image, and where the image is in it.
        """
        lacking = [max(window - size, 0) for window, size in zip(self.patch, image.shape[2:], strict=True)]
        place = tuple(slice(n // 2, n // 2 + size) for n, size in zip(lacking, image.shape[2:], strict=True))
        if not any(lacking):
            return image, place
        return F.pad(image, [side for n in reversed(lacking) for side in (n // 2, n - n // 2)]), place

    def steps(self, image: Tensor) -> list[tuple[int, list[tuple[int, ...]]]]:
        """List the windows of an image [1, C, *S] of at least the size of the patch, by their first row.

        Returns:
            Per place on the first axis, this place and the starts of its windows that are computed.
        """
        starts = [
            window_starts(size, window, self.overlap) for size, window in zip(image.shape[2:], self.patch, strict=True)
        ]
        steps = [(first, [(first, *rest) for rest in itertools.product(*starts[1:])]) for first in starts[0]]
        if self.skip_below is None:
            return steps
        kept = [(first, [start for start in windows if self._is_bright(image, start)]) for first, windows in steps]
        # at least one window, because only the network knows the number of channels
        return kept if any(windows for _, windows in kept) else [(first, windows[:1]) for first, windows in steps]

    def cut(self, image: Tensor, start: Sequence[int]) -> Tensor:
        """Return one window of an image [B, C, *S]."""
        place = (slice(begin, begin + size) for begin, size in zip(start, self.patch, strict=True))
        return image[(slice(None), slice(None), *place)]

    def _is_bright(self, image: Tensor, start: Sequence[int]) -> bool:
        return self.skip_below is None or bool(self.cut(image, start).amax() > self.skip_below)


def window_starts(size: int, window: int, overlap: float) -> list[int]:
    """Return where windows begin on one axis: at equal steps, the last one at the end of the image.

    Example:
        >>> window_starts(10, 4, 0.5)
        [0, 2, 4, 6]
        >>> window_starts(9, 4, 0.5)
        [0, 2, 4, 5]
    """
    step = max(1, int(window * (1 - overlap)))
    count = 1 + max(0, -(-(size - window) // step))
    return [min(n * step, size - window) for n in range(count)]


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


def weigh_window(patch: Sequence[int], image: Tensor) -> Tensor:
    """Return how much each voxel of a window counts: a Gaussian with a standard deviation of an eighth of the window.

    Args:
        patch: Window size per axis, in voxels.
        image: The image; the weights have its type and device.

    Returns:
        The weights, of the shape of `patch`. None is below a thousandth. They equal MONAI's.

    Example:
        >>> weigh_window((3,), torch.zeros(1)).tolist()[1]
        1.0
    """
    weights = torch.ones((), device=image.device)
    for size in patch:
        place = torch.arange(size, dtype=torch.float32, device=image.device) - (size - 1) / 2
        weights = weights[..., None] * torch.exp(place**2 / (-2 * (size * 0.125) ** 2))
    return weights.clamp(min=1e-3).to(image.dtype)
