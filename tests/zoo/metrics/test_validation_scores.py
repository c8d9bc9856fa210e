"""Scores of a validation: Dice per class, its mean and the loss."""

from __future__ import annotations

import pytest
import torch

from zoo.metrics.validation_scores import ValidationScores, count_labels


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


@pytest.mark.parametrize("classes", [1, 3, 15, 20])
def test_label_maps_have_the_counts_of_their_masks(classes: int) -> None:
    generator = torch.Generator().manual_seed(classes)
    labels = [torch.randint(0, classes + 1, (2, 1, 5, 6, 7), generator=generator) for _ in range(2)]
    masks = [torch.cat([one == value for value in range(1, classes + 1)], 1) for one in labels]
    names = [str(value) for value in range(classes)]
    of_maps, of_masks = ValidationScores(names, exclusive=True), ValidationScores(names)
    for kind in (torch.uint8, torch.int64):
        of_maps.update(labels[0], labels[1].to(kind), torch.tensor(0.5))
        of_masks.update(masks[0], masks[1], torch.tensor(0.5))
    assert of_maps.compute() == of_masks.compute()
    expected = torch.stack([masks[0] & masks[1], masks[0] & ~masks[1], ~masks[0] & masks[1]]).sum((1, 3, 4, 5))
    assert torch.equal(torch.stack([of_maps.tp, of_maps.fp, of_maps.fn]), 2 * expected.double())


@pytest.mark.parametrize("values", [2, 14, 16, 17, 100])
def test_a_gpu_counts_the_same_without_waiting(values: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The operations of a GPU run here on the CPU; those that would wait for a GPU raise."""
    labels = torch.randint(0, values, (2, 500), generator=torch.Generator().manual_seed(0))
    expected = count_labels(labels[0], labels[1], values)

    class Elsewhere(torch.Tensor):
        @property
        def device(self) -> torch.device:  # type: ignore[override]
            return torch.device("cuda")

    def wait(*_: object, **__: object) -> None:
        raise AssertionError("this waits for the device")

    real = torch.arange
    monkeypatch.setattr(torch, "arange", lambda *sizes, **_: real(*sizes))
    for name in ("item", "tolist", "cpu", "numpy", "__bool__", "__int__"):
        monkeypatch.setattr(Elsewhere, name, wait)
    monkeypatch.setattr(torch, "bincount", wait)
    found = count_labels(labels[0].as_subclass(Elsewhere), labels[1].as_subclass(Elsewhere), values)
    monkeypatch.undo()
    assert torch.equal(found.as_subclass(torch.Tensor), expected)
