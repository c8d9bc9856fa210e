"""A model with Lightning's own Trainer: what `validate`, `test` and `predict` return to a Python user."""

from __future__ import annotations

from typing import Any

import pytest
from lightning.pytorch import LightningDataModule, Trainer

from datamodules.sets import PhantomChest
from zoo.metrics.definitions import METRIC_KEYS
from zoo.metrics.summary import summarise
from zoo.models import UNet
from zoo.types import Prediction

IMAGES = 6
"""Two slices of each of the three test subjects."""


@pytest.fixture(scope="module")
def data() -> LightningDataModule:
    return PhantomChest(pixels=32, patch=[32, 32], counts=[2, 2, 3], batch_size=2, epoch_samples=2, num_workers=0)


@pytest.fixture(scope="module")
def model(data: Any) -> UNet:
    return UNet(data.facts, channels=(4, 4, 4, 4, 4, 4))


def trainer() -> Trainer:
    return Trainer(accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False)


def test_the_test_returns_the_mean_scores(model: UNet, data: LightningDataModule) -> None:
    for _ in range(2):  # a second test starts anew
        [scores] = trainer().test(model, data, verbose=False)
    rows = model.test_scores.rows
    expected = summarise(rows)
    assert len({row.case_id for row in rows}) == len(rows) == IMAGES
    assert scores["test/dice"] == pytest.approx(expected.dice)
    assert scores["test/dice/lesion"] == pytest.approx(expected.per_class["lesion"].dice)
    assert scores["test/missed"] == expected.missed
    assert {f"test/{key}" for key in METRIC_KEYS} <= scores.keys()


def test_the_validation_returns_its_mean_scores(model: UNet, data: LightningDataModule) -> None:
    [scores] = trainer().validate(model, data, verbose=False)
    assert 0 <= scores["val/dice"] <= 1


def test_predictions_are_returned_with_a_data_module_and_with_a_loader(model: UNet, data: LightningDataModule) -> None:
    whole = [one for batch in trainer().predict(model, datamodule=data) or [] for one in batch]
    data.setup("predict")
    alone = [one for batch in trainer().predict(model, data.predict_dataloader()) or [] for one in batch]
    assert len(whole) == IMAGES
    assert all(isinstance(one, Prediction) for one in whole)
    assert [(one.case_id, one.mask.tolist()) for one in whole] == [(one.case_id, one.mask.tolist()) for one in alone]
