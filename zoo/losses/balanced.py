"""A cross entropy in which the object weighs as much as the rest of the image."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from zoo.losses.distributed import gather_rows


def balanced_cross_entropy(logits: Tensor, label: Tensor) -> Tensor:
    """Average the cross entropy of the voxels of the object and of the others, over the samples of all devices."""
    target, rest = (label == 1).to(logits), (label == 0).to(logits)  # unknown voxels are in neither
    each = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
    sums = torch.stack([(target * each).sum(), (rest * each).sum(), target.sum(), rest.sum()])
    inside, outside, voxels, others = gather_rows(sums[None])[0].sum(0)
    loss: Tensor = 0.5 * inside / voxels.clamp(min=1) + 0.5 * outside / others.clamp(min=1)
    return loss
