"""Deep supervision: the loss of coarser logits as well, each against the label on its own grid."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import EllipsisType

import torch
from torch import Tensor
from torch.nn import functional as F

from zoo.losses.segmentation import SegmentationLoss


def supervise_deeply(
    loss: SegmentationLoss, logits: Tensor, sides: Mapping[int, Tensor], label: Tensor
) -> dict[str, Tensor]:
    """Compute the named losses of logits at several strides. Their weights halve per scale and have the sum 1.

    Args:
        loss: The segmentation loss of the model.
        logits: Logits at full resolution, [B, K, *S].
        sides: Stride -> logits on the coarser grid, finest first, [B, K, *S'] with S' = S / stride rounded up or more.
        label: As in `Batch`.

    Returns:
        Dice and cross entropy, each a weighted mean over the scales.
    """
    scales = [loss(logits, label)]
    for stride, side in sides.items():
        target = shrink_label(label, stride)
        scales.append(loss(side[_window([slice(0, size) for size in target.shape[2:]])], target))
    weights = [0.5**index for index in range(len(scales))]
    return {
        name: torch.stack([weight * one[name] for weight, one in zip(weights, scales, strict=True)]).sum()
        / sum(weights)
        for name in scales[0]
    }


def shrink_label(label: Tensor, stride: int) -> Tensor:
    """Take the middle element of each cell of a label [B, K, *S]; behind the end of an axis there is background."""
    gaps = [n for size in reversed(label.shape[2:]) for n in (0, -size % stride)]
    return F.pad(label, gaps)[_window([slice(stride // 2, None, stride)] * (label.ndim - 2))]


def _window(axes: Sequence[slice]) -> tuple[EllipsisType | slice, ...]:
    """Return an index of the last axes of a tensor."""
    return (..., *axes)
