"""Scores of a validation: `val/dice`, by which the best checkpoint is chosen, Dice per class, and `val/loss`."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torchmetrics import Metric


class ValidationScores(Metric):
    """2 tp / (2 tp + fp + fn) per class and its mean over classes, and the mean loss, over all cases and ranks.

    A class that is in no label and in no prediction has no Dice, and is left out of the mean.

    Args:
        names: Names of the foreground classes.

    Example:
        >>> scores = ValidationScores(["liver", "spleen"])
        >>> mask = torch.tensor([[[True, True], [False, False]]])
        >>> scores.update(mask, torch.tensor([[[True, False], [False, False]]]), torch.tensor(0.5))
        >>> {name: round(float(value), 3) for name, value in scores.compute().items()}
        {'val/dice': 0.667, 'val/dice/liver': 0.667, 'val/loss': 0.5}
    """

    is_differentiable = False
    higher_is_better = True
    full_state_update = False
    tp: Tensor
    fp: Tensor
    fn: Tensor
    loss: Tensor
    cases: Tensor

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__()
        self.names = tuple(names)
        for name in ("tp", "fp", "fn"):
            self.add_state(name, torch.zeros(len(self.names), dtype=torch.float64), dist_reduce_fx="sum")
        for name in ("loss", "cases"):
            self.add_state(name, torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")

    def update(self, prediction: Tensor, target: Tensor, loss: Tensor) -> None:
        """Add the counts of boolean masks [B, classes, *S], and the mean loss of the batch."""
        axes = [0, *range(2, prediction.ndim)]
        self.tp += (prediction & target).sum(axes)
        self.fp += (prediction & ~target).sum(axes)
        self.fn += (~prediction & target).sum(axes)
        self.loss += loss.double() * len(prediction)
        self.cases += len(prediction)

    def compute(self) -> dict[str, Tensor]:
        """Return the scores by the name under which they are logged; `val/dice` is 0 if there is no class at all."""
        denominator = 2 * self.tp + self.fp + self.fn
        seen = denominator > 0
        dice = 2 * self.tp[seen] / denominator[seen]
        names = [name for name, is_seen in zip(self.names, seen.tolist(), strict=True) if is_seen]
        mean = dice.mean() if names else dice.new_zeros(())
        scores = {"val/dice": mean, **{f"val/dice/{name}": value for name, value in zip(names, dice, strict=True)}}
        return {name: value.float() for name, value in (scores | {"val/loss": self.loss / self.cases}).items()}
