"""The pictures of a training in its loggers: three cases, always the same, and a training that they do not change."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Trainer
from lightning.pytorch.loggers import CSVLogger, MLFlowLogger, TensorBoardLogger, WandbLogger
from PIL import Image

from datamodules.sets import PhantomChest
from zoo.callbacks.logged_overlays import LoggedOverlays, log_picture
from zoo.config import Composed
from zoo.engine.arguments import parse
from zoo.engine.loggers import make_overlays
from zoo.errors import ConfigError
from zoo.models import SegModule, UNet
from zoo.publishing import Publish


def train(folder: Path, *callbacks: Any) -> tuple[SegModule, list[Any]]:
    """Train three epochs of two steps, and return the model and the pictures that TensorBoard got."""
    data = PhantomChest(pixels=32, patch=[32, 32], counts=[4, 5, 2], batch_size=2, epoch_samples=4)
    torch.manual_seed(0)
    model = UNet(data.facts, vision="unet", width=4, stages=2)
    logger = TensorBoardLogger(str(folder))
    got: list[Any] = []
    logger.experiment.add_image = lambda name, array, step, dataformats: got.append((name, array.shape, step))
    Trainer(
        accelerator="cpu", max_epochs=3, logger=logger, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False, num_sanity_val_steps=1, callbacks=list(callbacks),
    ).fit(model, data)  # fmt: skip
    return model, got


def test_the_same_three_cases_are_drawn_every_few_epochs_and_change_no_weight(tmp_path: Path) -> None:
    drawn, pictures = train(tmp_path / "drawn", LoggedOverlays(2))
    plain, none = train(tmp_path / "plain")
    assert none == []
    assert [step for _, _, step in pictures] == [2, 2, 2, 3, 3, 3]
    names = [name for name, _, _ in pictures]
    assert len(set(names)) == 3
    assert names[:3] == names[3:]
    assert {shape for _, shape, _ in pictures} == {(320, 320, 3)}
    state = plain.state_dict()
    assert all(torch.equal(value, state[name]) for name, value in drawn.state_dict().items())


class Recorded:
    """What a logger of another package was given."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []

    def log_image(self, *words: Any, **named: Any) -> None:
        self.calls.append((words, named))


def test_each_logger_gets_a_picture_in_its_own_form(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    picture, got = Image.new("P", (4, 3)), Recorded()
    wandb = WandbLogger.__new__(WandbLogger)
    monkeypatch.setattr(WandbLogger, "log_image", got.log_image)
    log_picture(wandb, "case 1", picture, 5)
    mlflow = MLFlowLogger.__new__(MLFlowLogger)
    monkeypatch.setattr(MLFlowLogger, "experiment", got)
    monkeypatch.setattr(MLFlowLogger, "run_id", "run")
    log_picture(mlflow, "case 1", picture, 5)
    log_picture(CSVLogger(str(tmp_path)), "case 1", picture, 5)
    (first, named), (second, place) = got.calls
    assert first[0].startswith("overlays/case")
    assert named == {"caption": ["epoch 5"]}
    assert second[0] == "run"
    assert place["artifact_file"].endswith("-0005.png")


def test_pictures_need_a_logger_and_leave_the_machine_only_where_the_terms_allow_it(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    closed = Composed({}, "unet", "btcv", "tiny", publish=Publish(images="no"))
    monkeypatch.setenv("ZOO_OFFLINE", "0")
    assert make_overlays(None, ["csv"], closed) == []
    assert make_overlays(0, ["tensorboard"], closed) == []
    (local,) = make_overlays(None, ["tensorboard", "mlflow"], closed)
    assert local.every == 5  # type: ignore[attr-defined]
    with caplog.at_level(logging.INFO):
        assert make_overlays(None, ["wandb"], closed) == []
    assert "images are left out: the card of btcv" in caplog.text
    assert len(make_overlays(2, ["wandb"], closed)) == 1  # the user has asked for it
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://tracking.example")
    assert make_overlays(None, ["mlflow"], closed) == []
    with pytest.raises(ConfigError, match=r"--overlays 5: no logger takes pictures\. Add --logger tensorboard"):
        make_overlays(5, ["csv"], closed)
    assert (parse("fit", ["--overlays"]).overlays, parse("fit", ["--overlays", "0"]).overlays) == (5, 0)
    with pytest.raises(ConfigError, match="the number of epochs is a whole number from 0"):
        parse("fit", ["--overlays", "0.5"])
