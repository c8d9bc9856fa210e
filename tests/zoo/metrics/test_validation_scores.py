"""Scores of a validation: Dice per class, its mean and the loss."""

from __future__ import annotations

import pytest
import torch

from zoo.metrics.validation_scores import ValidationScores


def test_the_mean_leaves_out_classes_that_occur_nowhere() -> None:
    scores = ValidationScores(["a", "b", "c"])
    masks = torch.zeros(2, 3, 4, 4, dtype=torch.bool)
    masks[:, 0], masks[0, 1] = True, True
    truth = masks.clone()
    truth[:, 0, :2] = False
    truth[0, 1] = False
    scores.update(masks, truth, torch.tensor(0.25))
    scores.update(masks[:1], truth[:1], torch.tensor(1.0))
    found = {name: float(value) for name, value in scores.compute().items()}
    assert found == pytest.approx({"val/dice": 1 / 3, "val/dice/a": 2 / 3, "val/dice/b": 0.0, "val/loss": 0.5})


def test_a_validation_without_any_class_has_dice_0() -> None:
    scores = ValidationScores(["a"])
    nothing = torch.zeros(1, 1, 4, 4, dtype=torch.bool)
    scores.update(nothing, nothing, torch.tensor(0.5))
    assert {name: float(value) for name, value in scores.compute().items()} == {"val/dice": 0.0, "val/loss": 0.5}
