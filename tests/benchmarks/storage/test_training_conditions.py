"""What a manifest says of a training, in words."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.storage.training_conditions import describe_loss, describe_validation

LOSS = {"dice_per": "image", "squared": False, "background": True, "dice": 1.0, "cross_entropy": 1.0}
VALIDATION = {"val_cases": None, "cases": 9, "cases_hash": "h", "epoch_samples": 100, "every_epochs": 1}


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({}, "Dice per image + cross entropy"),
        ({"dice_per": "batch", "squared": True}, "Dice per batch, squared + cross entropy"),
        ({"background": False, "dice": 0.0}, "cross entropy"),
        ({"background": False, "cross_entropy": 0.0}, "Dice per image, without background"),
        ({"dice": 0.25, "cross_entropy": 2.0}, "0.25 Dice per image + 2 cross entropy"),
    ],
)
def test_a_loss_is_described_by_its_terms_and_weights(changes: dict[str, Any], text: str) -> None:
    assert describe_loss(LOSS | changes) == text


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({}, "all val cases, after every 100 samples"),
        ({"every_epochs": 3}, "all val cases, after every 300 samples"),
        ({"val_cases": 4, "cases": 4}, "4 val cases at most, after every 100 samples"),
        ({"epoch_samples": None}, "all val cases, after every 1 epochs"),
        ({"limit_batches": 2}, "all val cases, after every 100 samples, limit_val_batches 2"),
    ],
)
def test_a_validation_is_described_by_its_cases_and_interval(changes: dict[str, Any], text: str) -> None:
    assert describe_validation(VALIDATION | changes) == text


def test_what_is_not_recorded_has_no_description() -> None:
    assert describe_loss(None) == describe_validation(None) == ""
