"""`--ema`, `--early-stopping`, `--accumulate`, `--precision` and `--logger`: the run that they make, and its record."""

from __future__ import annotations

import csv
import json
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.helpers.stub_commands import FIT, HERE, error_line, resolved, train_stub
from tests.helpers.warm_process import WarmCommand
from zoo.cli.main import main
from zoo.config import Composed

pytestmark = pytest.mark.usefixtures("stub_importable")


def manifest_of(out: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((out / "manifest.json").read_text())
    return content


def checkpoint(out: Path, name: str = "last.ckpt") -> dict[str, Any]:
    content: dict[str, Any] = torch.load(out / "checkpoints" / name, weights_only=True)
    return content


def same(one: Mapping[str, torch.Tensor], other: Mapping[str, torch.Tensor]) -> bool:
    assert one.keys() == other.keys()
    return all(torch.equal(value, other[name]) for name, value in one.items())


@pytest.fixture(scope="module")
def averaged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with averaged weights, without an interruption."""
    out = tmp_path_factory.mktemp("ema") / "run"
    train_stub([*FIT, "--ema", "0.9"], out)
    return out


def test_a_checkpoint_holds_the_averaged_weights_and_the_trained_ones(averaged: Path) -> None:
    content = checkpoint(averaged)
    assert content["state_dict"].keys() == content["current_model_state"].keys()
    assert not same(content["state_dict"], content["current_model_state"])
    assert int(content["averaging_state"]["n_averaged"]) == 12, "one average per step"


def test_the_averaged_weights_are_stated_and_are_those_that_are_validated_and_tested(
    averaged: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    manifest = manifest_of(averaged)
    assert manifest["tested_weights"] == "average over the steps, decay 0.9"
    assert (manifest["early_stopping"], manifest["ended_early"]) == ("", False)
    assert main(["validate", "--out", str(averaged), "--ckpt", str(averaged / "checkpoints" / "last.ckpt")]) == 0
    shown = capsys.readouterr().out
    with (averaged / "metrics.csv").open() as file:
        last = [float(row["val/dice"]) for row in csv.DictReader(file) if row["val/dice"]][-1]
    assert f"val/dice {last:.4f}" in shown
    assert main(["test", "--out", str(averaged)]) == 0
    about = json.loads((averaged / "test" / "about.json").read_text())
    assert about["tested_weights"] == "average over the steps, decay 0.9"


@pytest.mark.xdist_group("ranks")  # the process is forked from the one that forks the ranks
def test_a_killed_run_ends_at_the_same_averaged_and_trained_weights(averaged: Path, tmp_path: Path) -> None:
    out = tmp_path / "killed"
    words = [*FIT, "--ema", "0.9", "--out", str(out)]
    died = WarmCommand(words, tmp_path / "log", {"STUB_KILL": "2,1", "PYTHONPATH": str(HERE)})
    assert died.wait() == -signal.SIGKILL, (tmp_path / "log").read_text()
    assert main(words) == 0
    for key in ("state_dict", "current_model_state"):
        assert same(checkpoint(out)[key], checkpoint(averaged)[key])
    assert same(checkpoint(out, "best.ckpt")["state_dict"], checkpoint(averaged, "best.ckpt")["state_dict"])


def test_an_average_is_part_of_the_identity_and_cannot_change_afterwards(
    averaged: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "trainer.callbacks" in error_line([*FIT, "--out", str(averaged)], capsys)
    assert "trainer.callbacks" in error_line(["test", "--out", str(averaged), "--ema", "0.5"], capsys)
    assert main(["test", "--out", str(averaged), "--ema", "0.9"]) == 0, "a repeated option changes nothing"
    again = resolved([*FIT, "-c", str(averaged / "config.yaml"), "--ema", "0.9"], capsys)
    assert len(again["trainer"]["callbacks"]) == 1


def test_training_stops_when_the_score_no_longer_rises(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "run"
    words = [*FIT, "--model.lr", "0", "--early-stopping", "1", "--out", str(out)]
    assert main(words) == 0
    assert "stopped early after epoch 2" in capsys.readouterr().out
    manifest = manifest_of(out)
    assert (manifest["epochs"], manifest["epochs_trained"], manifest["ended_early"]) == (4, 2, True)
    assert manifest["early_stopping"] == "val/dice, patience 1"
    before = checkpoint(out)
    (out / "manifest.json").write_text(json.dumps(manifest | {"finished": None}))  # killed before its end was written
    assert main(words) == 0
    assert "stopped early after epoch 2" in capsys.readouterr().out
    assert checkpoint(out)["global_step"] == before["global_step"], "no epoch is trained after the stop"
    assert same(checkpoint(out)["state_dict"], before["state_dict"])


def test_accumulated_steps_have_the_samples_of_the_budget(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "run"
    assert main([*FIT, "--trainer.max_epochs", "1", "--accumulate", "2", "--out", str(out)]) == 0
    assert manifest_of(out)["budget"] == {"samples": 12, "batch_size": 4}
    assert checkpoint(out)["global_step"] == 3, "as many steps as without the option"
    config = resolved([*FIT, "--accumulate", "2"], capsys)
    assert (config["data"]["init_args"]["batch_size"], config["trainer"]["accumulate_grad_batches"]) == (2, 2)
    assert resolved([*FIT[:7], "-c", str(out / "config.yaml"), "--accumulate", "2"], capsys)["data"] == config["data"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--accumulate", "3"], "--accumulate 3 does not divide the batch of 4 samples"),
        (["--accumulate", "2", "--data.epoch_samples", "10"], "Write --data.epoch_samples 8"),
        (["--accumulate", "2", "--trainer.accumulate_grad_batches", "2"], "Leave --accumulate out"),
        (["--accumulate", "0"], "--accumulate 0: the number of batches is a whole number from 1"),
        (["--ema", "1.5"], "--ema 1.5"),
        (["--ema=fast"], "--ema fast: a decay is a number between 0 and 1"),
        (["--ema", "--trainer.callbacks", "RichProgressBar"], "Write --trainer.callbacks+="),
        (["--early-stopping", "0"], "--early-stopping 0: the number of validations"),
        (["--precision", "bf16-true"], "bf16-mixed"),
        (["--logger", "csv", "--trainer.logger", "false"], "--trainer.logger false turns off"),
        (["--logger", "tensorbord"], "Did you mean tensorboard?"),
    ],
)
def test_unusable_values_end_with_one_line_and_leave_no_folder(
    words: list[str], says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert says in error_line([*FIT, *words, "--out", str(tmp_path / "run")], capsys)
    assert not (tmp_path / "run").exists()


def test_options_without_a_value_have_their_defaults(capsys: pytest.CaptureFixture[str]) -> None:
    config = resolved([*FIT, "--ema", "--early_stopping", "--precision", "bf16-mixed"], capsys)["trainer"]
    assert config["callbacks"] == [
        {"class_path": "zoo.callbacks.AveragedWeights", "init_args": {"decay": 0.999}},
        {"class_path": "zoo.callbacks.EarlyStopping", "init_args": {"patience": 10}},
    ]
    assert config["precision"] == "bf16-mixed"


@pytest.mark.parametrize("name", ["tensorboard", "wandb", "mlflow"])
def test_a_logger_without_its_package_ends_with_one_line(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(*_: object, **__: object) -> None:
        raise ModuleNotFoundError(name)

    for kind in ("TensorBoardLogger", "WandbLogger", "MLFlowLogger"):
        monkeypatch.setattr(f"zoo.engine.loggers.{kind}", missing)
    line = error_line([*FIT, "--logger", name, "--out", str(tmp_path / "run")], capsys)
    assert f"--logger {name}: the package {name} is not installed." in line
    assert not (tmp_path / "run").exists()


def test_a_logger_is_used_besides_the_file_of_every_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from lightning.pytorch.loggers import CSVLogger

    monkeypatch.setattr("zoo.engine.loggers.TensorBoardLogger", CSVLogger)
    out = tmp_path / "run"
    words = ["--logger", "csv", "--logger", "tensorboard", "--trainer.max_epochs", "1"]
    assert main([*FIT, *words, "--out", str(out)]) == 0
    assert "val/dice" in (out / "metrics.csv").read_text().splitlines()[0]
    assert "val/dice" in (out / "tensorboard" / "metrics.csv").read_text().splitlines()[0]


def test_a_process_that_is_not_the_first_rank_makes_no_further_logger(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lightning.fabric.utilities.rank_zero import rank_zero_only

    from zoo.engine.loggers import make_loggers

    monkeypatch.setattr(rank_zero_only, "rank", 1)
    assert make_loggers(["mlflow"], tmp_path / "run", Composed({}, "unet", "btcv", "tiny")) == []
    assert not (tmp_path / "run").exists()
