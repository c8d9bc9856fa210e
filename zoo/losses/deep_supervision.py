"""Deep supervision: the loss of coarser logits as well, each against the label on its own grid."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import EllipsisType

import torch
from torch import Tensor
from torch.nn import functional as F

from zoo.losses.segmentation import SegmentationLoss

Stride = int | tuple[int, ...]
"""The stride of a map: one number, or one per axis."""


def supervise_deeply(
    loss: SegmentationLoss,
    logits: Tensor,
    sides: Mapping[Stride, Tensor],
    label: Tensor,
    without_last: bool = False,
) -> dict[str, Tensor]:
    """Compute the named losses of logits at several strides. Their weights halve per scale and have the sum 1.

    Args:
        loss: The segmentation loss of the model.
        logits: Logits at full resolution, [B, K, *S].
        sides: Stride -> logits on the coarser grid, finest first, [B, K, *S'] with S' = S / stride rounded up or more.
        label: As in `Batch`.
        without_last: Give the coarsest scale the weight 0, as nnU-Net does. It stays in the graph, for DDP.

    Returns:
        Dice and cross entropy, each a weighted mean over the scales.
    """
    scales = [loss(logits, label)]
    for stride, side in sides.items():
        target = shrink_label(label, stride)
        scales.append(loss(side[_window([slice(0, size) for size in target.shape[2:]])], target))
    weights = [0.5**index for index in range(len(scales))]
    if without_last and sides:
        weights[-1] = 0.0
    return {
        name: torch.stack([weight * one[name] for weight, one in zip(weights, scales, strict=True)]).sum()
        / sum(weights)
        for name in scales[0]
    }


def shrink_label(label: Tensor, stride: Stride) -> Tensor:
    """Take the middle element of each cell of a label [B, K, *S]; behind the end of an axis there is background.

    Args:
        label: The label.
        stride: Size of a cell: one number, or one per axis.
    """
    steps = [stride] * (label.ndim - 2) if isinstance(stride, int) else list(stride)
    gaps = [n for size, step in zip(reversed(label.shape[2:]), reversed(steps), strict=True) for n in (0, -size % step)]
    return F.pad(label, gaps)[_window([slice(step // 2, None, step) for step in steps])]


def _window(axes: Sequence[slice]) -> tuple[EllipsisType | slice, ...]:
    """Return an index of the last axes of a tensor."""
    return (..., *axes)
