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
        exclusive: Whether classes exclude each other, so that images come as label maps and not as masks.

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

    def __init__(self, names: Sequence[str], exclusive: bool = False) -> None:
        super().__init__()
        self.names = tuple(names)
        self.exclusive = exclusive
        for name in ("tp", "fp", "fn"):
            self.add_state(name, torch.zeros(len(self.names), dtype=torch.float64), dist_reduce_fx="sum")
        for name in ("loss", "cases"):
            self.add_state(name, torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")

    def update(self, prediction: Tensor, target: Tensor, loss: Tensor) -> None:
        """Add the counts of a batch and its mean loss; nothing waits for the device.

        Args:
            prediction: Labels [B, 1, *S] of 0 to K where classes are exclusive, else masks bool [B, K, *S].
            target: The label, in the same layout.
            loss: Mean loss of the batch.
        """
        if self.exclusive:
            counts = count_labels(prediction, target, len(self.names) + 1)
            hits, predicted, true = counts.diagonal(), counts.sum(1), counts.sum(0)
            hits, predicted, true = hits[1:], predicted[1:], true[1:]
        else:
            axes = [0, *range(2, prediction.ndim)]
            hits, predicted, true = ((prediction & target).sum(axes), prediction.sum(axes), target.sum(axes))
        self.tp += hits
        self.fp += predicted - hits
        self.fn += true - hits
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


def count_labels(prediction: Tensor, target: Tensor, values: int) -> Tensor:
    """Count the voxels of each pair of a predicted and a true label.

    Args:
        prediction: Labels from 0 to `values` - 1, of any shape and integer type.
        target: The true labels, of the same shape.
        values: Number of different labels.

    Returns:
        int64 [values, values]: the predicted label is the row.

    Example:
        >>> count_labels(torch.tensor([0, 1, 1]), torch.tensor([0, 0, 1]), values=2).tolist()
        [[1, 0], [1, 1]]
    """
    pairs = values * values
    small = torch.uint8 if pairs <= 256 else torch.int32  # fewer bytes take less time
    joint = (prediction.to(small) * values + target.to(small)).flatten()
    if joint.device.type == "cpu":
        return torch.bincount(joint, minlength=pairs).view(values, values)
    # On a GPU, bincount waits for the device, and histc has no fixed order. A sort does neither.
    ends = torch.searchsorted(joint.int().sort().values, torch.arange(pairs, device=joint.device).int(), right=True)
    return torch.diff(ends, prepend=ends.new_zeros(1)).view(values, values)
