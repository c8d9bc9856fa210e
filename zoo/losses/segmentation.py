"""Segmentation losses on logits: soft Dice and cross entropy."""

from __future__ import annotations

import torch
from monai.losses.utils import compute_tp_fp_fn
from monai.networks import one_hot
from torch import Tensor, nn
from torch.nn import functional as F

from zoo.losses.distributed import gather_rows

_SMOOTH = 1e-5  # MONAI's default


class GlobalDice(nn.Module):
    """1 minus the soft Dice of each channel over the global batch, averaged over channels.

    The sums run over the samples of all ranks, so that the loss of a batch does not depend on the number of
    ranks. On one rank the result equals MONAI's `DiceLoss(batch=True)` bit by bit.

    Args:
        exclusive: True: softmax over background and K classes. False: one sigmoid per channel.
    """

    def __init__(self, exclusive: bool) -> None:
        super().__init__()
        self.exclusive = exclusive

    def forward(self, logits: Tensor, label: Tensor) -> Tensor:
        """Compute the loss of logits [B, K, *S] and a label as in `Batch`."""
        shares = logits.softmax(1) if self.exclusive else logits.sigmoid()
        target = one_hot(label, logits.shape[1]) if self.exclusive else label
        sums = torch.stack(compute_tp_fp_fn(shares, target, [0, *range(2, logits.ndim)], 1, False))
        tp, fp, fn = gather_rows(sums[None])[0].sum(0)
        loss: Tensor = 1 - (2 * tp + _SMOOTH) / (2 * (tp + 0.5 * fp + 0.5 * fn) + _SMOOTH)
        return loss.mean()


class SegmentationLoss(nn.Module):
    """Soft Dice and cross entropy, both computed from logits, each under its own name.

    MONAI's `DiceCELoss` depends on the version and on the number of channels: before 1.3 it had no cross
    entropy for one channel. Therefore the two terms are computed here.

    Args:
        exclusive: True: softmax over background and K classes. False: one sigmoid per channel.
    """

    def __init__(self, exclusive: bool) -> None:
        super().__init__()
        self.exclusive = exclusive
        self.dice = GlobalDice(exclusive)

    def forward(self, logits: Tensor, label: Tensor) -> dict[str, Tensor]:
        """Compute the losses of logits [B, K, *S] and a label as in `Batch`."""
        logits = logits.float()
        if self.exclusive:
            cross_entropy = F.cross_entropy(logits, label[:, 0].long())
        else:
            cross_entropy = F.binary_cross_entropy_with_logits(logits, label.float())
        return {"dice": self.dice(logits, label), "cross_entropy": cross_entropy}


def masks_of(label: Tensor, classes: int, exclusive: bool) -> Tensor:
    """Return the foreground masks, bool [B, classes, *S], of a label as in `Batch`."""
    if not exclusive:
        return label.bool()
    values = torch.arange(1, classes + 1, device=label.device).view(1, -1, *[1] * (label.ndim - 2))
    return label == values
