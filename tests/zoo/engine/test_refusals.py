"""Which errors of libraries, models and callbacks end with one line, and which are bugs that keep their traceback."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.fabric.utilities.exceptions import MisconfigurationException
from torch.utils.data import DataLoader, TensorDataset

from tests.helpers.stub_commands import FIT, error_line
from zoo.cli.main import main
from zoo.config import MAX_SEED, check_seed
from zoo.engine.refusals import explain_construction, explain_errors
from zoo.engine.run_folder import RunFolder
from zoo.errors import ConfigError, RunError

FOLDER = RunFolder(Path("runs/a"))


pytestmark = pytest.mark.usefixtures("stub_importable")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--trainer.devices", "-1"], "--trainer.devices -1: `devices` selected with"),
        (["--trainer.devices", "two"], "--trainer.devices two:"),
        (["--trainer.strategy", "ddq"], "--trainer.strategy ddq: You selected an invalid strategy name"),
        (["--trainer.strategy", "deepspeed"], "--trainer.strategy deepspeed:"),
        (["--trainer.precision", "half"], "--trainer.precision=half: not of the type"),
        (["--trainer.profiler", "fast"], "--trainer.profiler fast:"),
        (["--trainer.accelerator", "abacus"], "--trainer.accelerator abacus:"),
        (["--trainer.num_nodes", "0"], "--trainer.num_nodes 0:"),
        (["--trainer.max_time", "00:99"], "--trainer.max_time 00:99:"),
        (["--trainer.max_epochs", "-2"], "--trainer.max_epochs -2:"),
        (["--trainer.overfit_batches", "1"], "--trainer.overfit_batches would replace the sampler"),
        (["--trainer.accumulate_grad_batches", "0"], "--trainer.accumulate_grad_batches 0 is less than 1"),
        (["--trainer.check_val_every_n_epoch", "0"], "--trainer.check_val_every_n_epoch 0 is less than 1"),
        (["--trainer.gradient_clip_val", "-1.5"], "--trainer.gradient_clip_val -1.5 is less than 0"),
        (["--trainer.enable_checkpointing", "false"], "--trainer.enable_checkpointing false:"),
        (["--trainer.logger", "TensorBoardLogger"], "--trainer.logger=TensorBoardLogger needs save_dir."),
        (
            ["--trainer.callbacks+=lightning.pytorch.callbacks.EarlyStopping"],
            "the following arguments are required: monitor",
        ),
        (
            [
                "--trainer.callbacks+=lightning.pytorch.callbacks.EarlyStopping",
                "--trainer.callbacks.monitor=a",
                "--trainer.callbacks.mode=best",
            ],
            "--trainer.callbacks.mode best: `mode` can be min, max",
        ),
        (["--trainer.callbacks+=Timer", "--trainer.callbacks.duration=soon"], "--trainer.callbacks.duration soon"),
        (["--seed", "99999999999"], f"--seed 99999999999: a seed is a whole number from 0 to {MAX_SEED}"),
        (["--data.num_workers", "-3"], "--data.num_workers -3: num_workers option should be non-negative"),
        (["--model.lr", "-1"], "--model.lr -1: Invalid learning rate"),
        (["--model.width", "-1"], "--model.width -1: "),
        (["--trainer.val_check_interval", "1000"], "--trainer.val_check_interval 1000:"),
        (
            [
                "--trainer.callbacks+=lightning.pytorch.callbacks.EarlyStopping",
                "--trainer.callbacks.monitor=val/nothing",
            ],
            "Early stopping conditioned on metric `val/nothing`",
        ),
    ],
)
def test_an_option_that_a_library_refuses_ends_with_one_line_and_leaves_no_folder(
    words: list[str], says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = error_line([*FIT, *words, "--out", str(tmp_path / "run")], capsys)
    assert says in line
    assert "Union" not in line or "not of the type" in line
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("logger", "module"), [("TensorBoardLogger", "tensorboard"), ("WandbLogger", "wandb"), ("MLFlowLogger", "mlflow")]
)
def test_a_logger_without_its_package_names_the_extra(
    logger: str, module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Absent:
        def __bool__(self) -> bool:
            return False

        def __str__(self) -> str:
            return f"Requirement '{module}>=1' not met."

    for path in (
        f"lightning.pytorch.loggers.{module}._{module.upper()}_AVAILABLE",
        f"lightning.fabric.loggers.{module}._{module.upper()}_AVAILABLE",
        "lightning.fabric.loggers.tensorboard._TENSORBOARDX_AVAILABLE",
    ):
        if "fabric" not in path or module == "tensorboard":
            monkeypatch.setattr(path, Absent(), raising=False)
    words = [*FIT, "--trainer.logger", logger, "--trainer.logger.save_dir", str(tmp_path), "--out", str(tmp_path / "o")]
    line = error_line(words, capsys)
    assert f"--trainer.logger {logger}" in line
    assert "Run `pip install -e '.[loggers]'` in " in line
    assert not (tmp_path / "o").exists()


def test_tensorboard_gets_the_values_of_the_training(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    words = ["--trainer.logger", "TensorBoardLogger", "--trainer.logger.save_dir", str(tmp_path / "tb")]
    assert main([*FIT[:-1], "1", *words, "--out", str(tmp_path / "run")]) == 0
    assert list((tmp_path / "tb").rglob("events.out.tfevents*"))
    assert (tmp_path / "run" / "metrics.csv").is_file(), "our own record is kept"


def torch_refuses_workers() -> None:
    DataLoader(TensorDataset(), num_workers=-1)


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("[enforce fail at alloc_cpu.cpp:127] . DefaultCPUAllocator: can't allocate memory: 9 bytes"),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 9.00 GiB."),
        MemoryError("Unable to allocate 9.00 GiB for an array"),
    ],
)
def test_memory_that_runs_out_is_one_line(error: Exception) -> None:
    with pytest.raises(RunError, match=r"a: memory ran out: .*\b9\b"), explain_errors(RunFolder(Path("a"))):
        raise error


def test_what_torch_refuses_is_one_line() -> None:
    with pytest.raises(ConfigError, match=r"--data\.num_workers -1: num_workers option"):
        explained(torch_refuses_workers, ("data.num_workers", "-1"))


def explained(function: Callable[[], None], *flags: tuple[str, str]) -> None:
    with explain_errors(FOLDER, flags):
        function()


@pytest.mark.parametrize("error", [KeyError("x"), ValueError("x"), RuntimeError("x"), TypeError("x"), OverflowError()])
def test_an_error_of_our_own_code_keeps_its_traceback_in_training(error: Exception) -> None:
    def fail() -> None:
        raise error

    with pytest.raises(type(error)) as caught:
        explained(fail, ("trainer.devices", "x"))
    assert caught.value is error


@pytest.mark.parametrize("error", [KeyError("x"), AttributeError("x"), IndexError("x"), RuntimeError("x")])
def test_a_bug_in_a_constructor_keeps_its_traceback(error: Exception) -> None:
    with pytest.raises(type(error)) as caught, explain_construction([("model.lr", "1")]):
        raise error
    assert caught.value is error
    with pytest.raises(ZeroDivisionError), explain_construction([]):
        1 / 0  # noqa: B018


def test_a_value_that_a_constructor_refuses_on_purpose_is_one_line() -> None:
    said = r"^--model\.width 3: the width 3 is odd\. "
    with pytest.raises(ConfigError, match=said), explain_construction([("model.width", "3"), ("model.lr", "1")]):
        raise ValueError("the width 3 is odd")


@pytest.mark.parametrize("where", ["validation_step", "on_fit_start", "training_step"])
def test_a_bug_of_a_hook_keeps_its_traceback(where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where a library notices the bug."""

    def bug(*_: Any, **__: Any) -> None:
        raise MisconfigurationException("a bug") if where == "on_fit_start" else ValueError("a bug")

    target = "zoo.callbacks.manifest.RunRecord" if where == "on_fit_start" else "stub_model.StubModel"
    __import__("stub_model")
    monkeypatch.setattr(f"{target}.{where}", bug)
    with pytest.raises((ValueError, MisconfigurationException), match="a bug"):
        main([*FIT, "--out", str(tmp_path / "run")])


def test_a_refused_run_leaves_the_folder_for_the_corrected_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    out.mkdir()
    (out / "mine.txt").write_text("mine")
    assert "num_workers" in error_line([*FIT, "--data.num_workers", "-1", "--out", str(out)], capsys)
    assert [path.name for path in out.iterdir() if path.name != ".fit.lock"] == ["mine.txt"]
    assert main([*FIT[:-1], "1", "--out", str(out)]) == 0
    trained = (out / "checkpoints" / "last.ckpt").read_bytes()
    callback = [
        "--trainer.callbacks+=lightning.pytorch.callbacks.EarlyStopping",
        "--trainer.callbacks.monitor=val/nothing",
    ]
    assert "val/nothing" in error_line([*FIT[:-1], "1", "--out", str(out), *callback], capsys)
    assert (out / "checkpoints" / "last.ckpt").read_bytes() == trained


@pytest.mark.parametrize("seed", ["-1", "1.5", "x", "", "4294967296", "9" * 5000, "²", True])
def test_an_unusable_seed_is_refused(seed: Any) -> None:
    with pytest.raises(ConfigError, match="a seed is a whole number from 0"):
        check_seed(seed, "--seed")
    assert check_seed(MAX_SEED, "--seed") == MAX_SEED
