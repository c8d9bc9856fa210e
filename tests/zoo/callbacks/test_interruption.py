"""A training that SIGTERM ends continues after its last finished step, and ends like an uninterrupted one."""

from __future__ import annotations

import csv
import json
import os
import signal
import time
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.helpers.stub_commands import FIT, HERE
from tests.helpers.terminated_model import LONG, PLACE
from tests.helpers.warm_process import WarmCommand
from zoo.cli.main import main

DATA = ["--data", "phantom_chest", "--data.pixels", "32", "--data.patch", "[32,32]", "--data.counts", "[6,2,2]"]
SMALL = [*DATA, "--data.batch_size", "2", "--data.epoch_samples", "8", "--data.augment", "none", "--trainer", "cpu"]
WORDS = ["fit", "--model", "terminated_model.TerminatedModel", *SMALL, "--trainer.max_epochs", "3"]


pytestmark = pytest.mark.usefixtures("stub_importable")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The run folders of uninterrupted trainings, by the number of batches per step."""
    return {"1": tmp_path_factory.mktemp("one") / "run", "2": tmp_path_factory.mktemp("two") / "run"}


@pytest.fixture(scope="module")
def averaged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run folder of an uninterrupted training with averaged weights."""
    return tmp_path_factory.mktemp("ema") / "run"


def checkpoint(run: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)
    return loaded


def rows(run: Path) -> list[dict[str, str]]:
    with (run / "metrics.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize(
    ("place", "accumulate", "steps"),
    [
        ("forward 0 2", "1", 2),
        ("forward 1 1", "1", 5),
        ("update 1 2", "1", 7),
        ("forward 1 1", "2", 2),
        ("forward 1 3", "2", 3),
        ("validation 1 0", "1", 8),
        ("validation 2 1", "1", 12),
    ],
)
def test_a_training_continues_after_its_last_finished_step(
    place: str,
    accumulate: str,
    steps: int,
    whole: dict[str, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = [*WORDS, "--trainer.accumulate_grad_batches", accumulate]
    if not whole[accumulate].exists():
        assert main([*words, "--out", str(whole[accumulate])]) == 0
    run = tmp_path / "run"
    monkeypatch.setenv(PLACE, place)
    assert main([*words, "--out", str(run)]) == 143
    assert "zoo: terminated" in capsys.readouterr().err
    assert checkpoint(run)["global_step"] == steps
    monkeypatch.delenv(PLACE)
    assert main([*words, "--out", str(run)]) == 0
    ours, theirs = checkpoint(run), checkpoint(whole[accumulate])
    assert ours["global_step"] == theirs["global_step"]
    for name, weight in theirs["state_dict"].items():
        assert torch.equal(ours["state_dict"][name], weight), name
    same = [
        [{key: value for key, value in row.items() if value} for row in rows(one)] for one in (run, whole[accumulate])
    ]
    if not place.startswith("validation"):  # else the mean loss of the steps before it is not logged again
        assert same[0] == same[1]


@pytest.mark.parametrize("place", ["forward 1 1", "update 1 2", "validation 1 0", "validation 2 1"])
def test_averaged_and_trained_weights_continue_after_the_last_finished_step(
    place: str, averaged: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = [*WORDS, "--ema", "0.9"]
    if not averaged.exists():
        assert main([*words, "--out", str(averaged)]) == 0
    run = tmp_path / "run"
    monkeypatch.setenv(PLACE, place)
    assert main([*words, "--out", str(run)]) == 143
    monkeypatch.delenv(PLACE)
    assert main([*words, "--out", str(run)]) == 0
    ours, theirs = checkpoint(run), checkpoint(averaged)
    for kind in ("state_dict", "current_model_state", "averaging_state"):
        for name, weight in theirs[kind].items():
            assert torch.equal(ours[kind][name], weight), (kind, name)


@pytest.mark.xdist_group("ranks")  # the process is forked from the one that forks the ranks
def test_a_step_that_lasts_long_is_left_within_ten_seconds_with_the_state_before_it(tmp_path: Path) -> None:
    run, log = tmp_path / "run", tmp_path / "log"
    environment = {"PYTHONPATH": str(HERE), PLACE: "forward 1 1", LONG: "1", "OMP_NUM_THREADS": "1"}
    command = WarmCommand([*WORDS, "--out", str(run)], log, environment)
    while command.running and not (log.is_file() and "epoch 1/3" in log.read_text()):
        time.sleep(0.05)
    begun = time.monotonic()
    assert command.wait(60) == 143, log.read_text()
    assert time.monotonic() - begun < 10
    assert checkpoint(run)["global_step"] == 5
    assert json.loads((run / "manifest.json").read_text())["finished"] is None


def test_a_loader_of_another_package_continues_from_the_last_epoch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stub: Any = import_module("stub_model").StubModel
    before = stub.training_step

    def training_step(self: Any, batch: dict[str, Any], batch_idx: int) -> Any:
        if (self.current_epoch, batch_idx) == (1, 1):
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(0.05)
        return before(self, batch, batch_idx)

    monkeypatch.setattr(stub, "training_step", training_step)
    assert main([*FIT, "--out", str(tmp_path / "run")]) == 143
    assert checkpoint(tmp_path / "run")["epoch"] == 0
    monkeypatch.setattr(stub, "training_step", before)
    assert main([*FIT, "--out", str(tmp_path / "run")]) == 0
