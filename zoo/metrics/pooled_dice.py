"""Dice from counts summed over all cases and ranks: `val/dice`, by which the best checkpoint is chosen."""

from __future__ import annotations

import torch
from torch import Tensor
from torchmetrics import Metric


class PooledDice(Metric):
    """Mean over classes of 2 tp / (2 tp + fp + fn), the counts summed over cases and ranks.

    A class that is in no label and in no prediction is left out of the mean.

    Args:
        classes: Number of foreground classes.
    """

    is_differentiable = False
    higher_is_better = True
    full_state_update = False
    tp: Tensor
    fp: Tensor
    fn: Tensor

    def __init__(self, classes: int) -> None:
        super().__init__()
        for name in ("tp", "fp", "fn"):
            self.add_state(name, torch.zeros(classes, dtype=torch.float64), dist_reduce_fx="sum")

    def update(self, prediction: Tensor, target: Tensor) -> None:
        """Add the counts of boolean masks [B, classes, *S]."""
        axes = [0, *range(2, prediction.ndim)]
        self.tp += (prediction & target).sum(axes)
        self.fp += (prediction & ~target).sum(axes)
        self.fn += (~prediction & target).sum(axes)

    def compute(self) -> Tensor:
        """Return the mean Dice; 0 if no class was in a label or a prediction."""
        denominator = 2 * self.tp + self.fp + self.fn
        seen = denominator > 0
        if not seen.any():
            return torch.zeros((), dtype=torch.float32, device=self.tp.device)
        return (2 * self.tp[seen] / denominator[seen]).mean().float()
