"""Logits and masks of whole images, by a sliding window where an image exceeds the patch.

Overlapping windows are averaged with Gaussian weights, so that the centre of a window counts most. The labels equal
those of MONAI's `SlidingWindowInferer`. No gradient is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from zoo.inference.window_sums import WindowSums
from zoo.inference.windows import WindowPlan, middle_of, weigh_window
from zoo.preprocessing.undo import NativeMask
from zoo.types import Geometry, LabelSpace, Text

Forward = Callable[[Tensor, Text], Tensor]


@torch.no_grad()
def predict_logits(
    forward: Forward,
    image: Tensor,
    text: Text,
    patch: Sequence[int],
    overlap: float,
    most: int | None = None,
    at_once: int = 1,
    skip_below: float | None = None,
) -> Tensor:
    """Compute the logits of whole images; where an image exceeds the patch, by a sliding window.

    Args:
        forward: The forward function of a model: ([B, C, *S], text) -> [B, K, *S].
        image: [B, C, *S].
        text: The text of the B images.
        patch: Window size per axis of S, in voxels.
        overlap: Share of a window that the next window covers too, in [0, 1).
        most: Largest number of windows per image. Only the middle of a larger image is then computed, and the logits
            around it are 0, which is background. None: the whole image.
        at_once: Number of windows of an image per forward pass.
        skip_below: Windows whose intensities are all at most this are not computed, and the logits where no window is
            computed are 0, which is background. None: all windows are computed.

    Returns:
        [B, K, *S], on the device of the image; on the CPU where a GPU has not enough memory.
    """
    plan = WindowPlan(patch, overlap, most, at_once, skip_below)
    middle = None if most is None else middle_of(image.shape[2:], patch, overlap, most)
    if middle is not None:
        place = (slice(None), slice(None), *middle)
        inside = predict_logits(forward, image[place], text, patch, overlap, None, at_once, skip_below)
        logits = inside.new_zeros(*inside.shape[:2], *image.shape[2:])
        logits[place] = inside
        return logits
    if not plan.needs_windows(image.shape[2:]):
        return forward(image, text)
    parts = []
    for one, own in _single_images(image, text):
        padded, place = plan.pad(one)
        *_, (sums, _) = _add_windows(forward, padded, own, plan, padded.shape[2])
        sums.values.div_(torch.where(sums.weights > 0, sums.weights, 1.0))
        values = sums.values if image.ndim == 5 else sums.values[:, :, 0]
        parts.append(values[(slice(None), *place)])
    return torch.stack(parts) if len(parts) > 1 else parts[0][None]


@torch.no_grad()
def predict_masks(
    forward: Forward, image: Tensor, text: Text, plan: WindowPlan, geometries: Sequence[Geometry], labels: LabelSpace
) -> list[NDArray[np.uint8] | None]:
    """Compute the masks of volumes that exceed the patch, without the logits of a whole volume in memory.

    The sums hold the rows that windows still reach. Rows behind them are decided at once, so the memory does not grow
    with the length of the first axis.

    Args:
        forward: As in `predict_logits`.
        image: float32 [B, C, *S] with three axes.
        text: The text of the B images.
        plan: The windows; `most` is not read.
        geometries: The geometry of each image.
        labels: The label space.

    Returns:
        Per image, its mask on the native grid; None where its logits are not finite.
    """
    masks: list[NDArray[np.uint8] | None] = []
    for (one, own), geometry in zip(_single_images(image, text), geometries, strict=True):
        padded, place = plan.pad(one)
        native: NativeMask | None = None
        for sums, stop in _add_windows(forward, padded, own, plan, plan.patch[0] + 1, labels.channels):
            if native is None:
                native = NativeMask(one.shape[2:], geometry, labels, sums.values.device)
            native.grid.add(sums.rows(place), min(stop - place[0].start, one.shape[2]))
        masks.append(native.mask if native is not None and native.grid.finite else None)
    return masks


def _single_images(image: Tensor, text: Text) -> Iterator[tuple[Tensor, Text]]:
    """Return one image at a time with its own report."""
    for i in range(len(image)):
        yield image[i : i + 1], text._replace(reports=None if text.reports is None else text.reports[i : i + 1])


def _add_windows(
    forward: Forward, image: Tensor, text: Text, plan: WindowPlan, rows: int, channels: int | None = None
) -> Iterator[tuple[WindowSums, int]]:
    """Add up the windows of one padded image, and stop after each step along the first axis.

    Args:
        forward: As in `predict_logits`.
        image: [1, C, *S].
        text: The text of the image.
        plan: The windows.
        rows: Number of rows that the sums hold.
        channels: Number of logit channels; None: that of the first window.

    Yields:
        The sums, and the row after the last one that no later window reaches.
    """
    importance = weigh_window(plan.patch, image)
    rows, shape = min(rows, image.shape[2]), image.shape[3:]
    sums = None if channels is None else WindowSums(channels, rows, shape, importance)
    steps = plan.steps(image)
    stops = [*(first for first, _ in steps[1:]), image.shape[2]]
    held = rows
    for (first, starts), stop in zip(steps, stops, strict=True):
        if sums is not None and first + plan.patch[0] > held:
            sums.clear(held, first + plan.patch[0])
            held = first + plan.patch[0]
        for begin in range(0, len(starts), plan.at_once):
            some = starts[begin : begin + plan.at_once]
            own = text._replace(reports=None if text.reports is None else text.reports * len(some))
            logits = forward(torch.cat([plan.cut(image, start) for start in some]), own)
            if sums is None:
                sums = WindowSums(logits.shape[1], rows, shape, importance)
            for start, one in zip(some, logits, strict=True):
                sums.add(start, one)
        if sums is not None:
            yield sums, stop
