"""fit, resume, validate, test and predict with a model and data of another package, on the command line."""

from __future__ import annotations

import csv
import json
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from tests.helpers.stub_commands import FIT, HERE, STUB, error_line
from tests.helpers.warm_process import WarmCommand
from zoo.cli.fit import _is_finished
from zoo.cli.main import main
from zoo.engine.run_folder import RunFolder
from zoo.metrics.case_scores import read_rows
from zoo.utils.atomic_files import UNFINISHED

pytestmark = pytest.mark.usefixtures("stub_importable")


def weights(out: Path, name: str = "last.ckpt") -> dict[str, torch.Tensor]:
    content: dict[str, torch.Tensor] = torch.load(out / "checkpoints" / name, weights_only=True)["state_dict"]
    return content


def test_fit_writes_the_complete_record(finished: Path) -> None:
    manifest = json.loads((finished / "manifest.json").read_text())
    config = yaml.safe_load((finished / "config.yaml").read_text())
    expected = {
        "model": "StubModel",
        "data": "StubData",
        "size": "tiny",
        "encoder": "tiny",
        "seed": 0,
        "text_track": "report",
        "split_hash": "split",
        "prompt_hash": "prompt",
        "budget": {"samples": 48, "batch_size": 4},
        "devices": 1,
    }
    assert {key: manifest[key] for key in expected} == expected
    assert set(manifest["versions"]) == {"python", "torch", "lightning", "monai", "transformers", "numpy"}
    assert manifest["params"] == manifest["params_trainable"] == sum(p.numel() for p in _net(finished).parameters())
    assert manifest["finished"] >= manifest["started"]
    assert 0 < manifest["best_val_dice"] < 1
    assert "seed" not in config["data"]["init_args"], "linked, never typed twice"
    assert "facts" not in config["model"]["init_args"]
    with (finished / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [round(float(row["lr-Adam"]), 4) for row in rows if row["lr-Adam"]] == [0.1, 0.09, 0.081, 0.0729]
    assert len(rows) == 8, "one row per training and one per validation of an epoch"
    assert max(float(row["val/dice"]) for row in rows if row["val/dice"]) == pytest.approx(manifest["best_val_dice"])
    assert not list(finished.rglob(f"{UNFINISHED}*"))


def _net(out: Path) -> Any:
    kind = __import__("stub_model").StubModel
    module = kind.load_from_checkpoint(out / "checkpoints" / "last.ckpt", weights_only=True)
    return module


def test_load_from_checkpoint_needs_no_facts(finished: Path) -> None:
    module = _net(finished)
    assert module.facts.name == "stub"
    assert all(torch.equal(value, module.state_dict()[key]) for key, value in weights(finished).items())


def test_the_state_of_a_run_is_that_of_one_reading_of_its_manifest(
    finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process may write the file between two readings."""
    readings: list[dict[str, Any]] = []
    read = RunFolder.read_manifest

    def count(folder: RunFolder) -> dict[str, Any]:
        readings.append(read(folder))
        return readings[-1]

    monkeypatch.setattr(RunFolder, "read_manifest", count)
    folder = RunFolder(finished)
    assert _is_finished(folder, folder.read_config())
    assert len(readings) == 1


def test_fit_prints_that_a_run_is_finished(finished: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = (finished / "checkpoints" / "last.ckpt").stat().st_mtime_ns
    assert main([*FIT, "--out", str(finished)]) == 0
    assert "finished on" in capsys.readouterr().out
    assert (finished / "checkpoints" / "last.ckpt").stat().st_mtime_ns == before


def test_another_configuration_is_refused_with_its_keys(finished: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = error_line([*FIT, "--out", str(finished), "--model.lr", "0.2", "--seed", "3"], capsys)
    assert "model.init_args.lr (0.1 -> 0.2)" in line
    assert "seed_everything (0 -> 3)" in line
    assert main([*FIT, "--out", str(finished), "--data.num_workers", "3"]) == 0, "a machine matter"


@pytest.mark.xdist_group("ranks")  # the processes are forked from the one that forks the ranks
@pytest.mark.parametrize(("kill", "workers"), [("2,0", "0"), ("2,1", "0"), ("0,1", "0"), ("2,1", "1")])
def test_killed_run_ends_at_the_same_weights(kill: str, workers: str, finished: Path, tmp_path: Path) -> None:
    """The kill is between epochs, within an epoch, within the first, and with workers, which fetch samples early."""
    words = [*FIT, "--data.num_workers", workers]
    out = tmp_path / "killed"
    log = tmp_path / "log"
    died = WarmCommand([*words, "--out", str(out)], log, {"STUB_KILL": kill, "PYTHONPATH": str(HERE)})
    assert died.wait() == -signal.SIGKILL, log.read_text()
    assert json.loads((out / "manifest.json").read_text())["finished"] is None
    assert (out / "checkpoints" / "last.ckpt").is_file() == (kill != "0,1")
    assert main([*words, "--out", str(out)]) == 0
    whole = finished
    if workers != "0":
        whole = tmp_path / "whole"
        assert main([*words, "--out", str(whole)]) == 0
    for name in ("last.ckpt", "best.ckpt"):
        for key, value in weights(whole, name).items():
            assert torch.equal(value, weights(out, name)[key]), (name, key)
    assert (out / "metrics.csv").read_text() == (whole / "metrics.csv").read_text()


def test_fit_takes_no_checkpoint(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    argv = [*FIT, "--out", str(tmp_path / "o"), "--ckpt", str(tmp_path / "nowhere.ckpt")]
    assert "--ckpt is no option of `zoo fit`" in error_line(argv, capsys)
    assert not (tmp_path / "o").exists()


def test_a_second_training_in_a_folder_is_refused_before_it_writes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with RunFolder(tmp_path).locked():
        assert "another process trains in this folder" in error_line([*FIT, "--out", str(tmp_path)], capsys)
        assert [path.name for path in tmp_path.iterdir()] == [".fit.lock"]
    assert not list(tmp_path.iterdir())


def test_a_run_that_kept_no_checkpoint_is_not_finished(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    argv = [*FIT, "--out", str(tmp_path / "o"), "--trainer.fast_dev_run", "true"]
    for _ in range(2):
        assert main(argv) == 0
        assert "no checkpoint was kept, so there is nothing to score" in " ".join(capsys.readouterr().out.split())
    assert json.loads((tmp_path / "o" / "manifest.json").read_text())["finished"] is None


def test_a_training_removes_the_unfinished_files_of_an_interrupted_one(tmp_path: Path) -> None:
    out = tmp_path / "run"
    left = out / f"{UNFINISHED}7-manifest.json"
    checkpoint = out / "checkpoints" / f"{UNFINISHED}7-last.ckpt"
    kept = out / "test" / f"{UNFINISHED}8-cases.csv"  # another process may be writing it
    for path in (left, kept):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("torn")
    assert main([*FIT[:-1], "1", "--out", str(out)]) == 0
    assert (left.exists(), kept.exists()) == (False, True)
    checkpoint.write_text("torn")
    RunFolder(out).remove_unfinished()
    assert (checkpoint.exists(), kept.exists()) == (False, True)


@pytest.mark.parametrize("content", ["[]", "[" * 100_000])
def test_a_manifest_of_something_else_is_one_line(
    content: str, finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copied = tmp_path / "copied"
    shutil.copytree(finished, copied)
    (copied / "manifest.json").write_text(content)
    for verb in ("test", "validate", "predict"):
        assert "manifest.json: the file is not" in error_line([verb, "--out", str(copied)], capsys)
    assert "manifest.json: the file is not" in error_line([*FIT, "--out", str(copied)], capsys)


def test_other_files_are_never_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "metrics.csv").write_text("mine")
    assert "no config.yaml of a run" in error_line([*FIT, "--out", str(tmp_path)], capsys)
    (tmp_path / "config.yaml").write_text("mine: true")
    assert "not the configuration of a run" in error_line([*FIT, "--out", str(tmp_path)], capsys)
    assert (tmp_path / "metrics.csv").read_text() == "mine"


def test_default_folder_is_found_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    words = [*STUB[:4], "--trainer", "debug", "--seed", "2"]
    assert "no run is here" in error_line(["test", *words], capsys)
    assert main(["fit", *words]) == 0
    [out] = (tmp_path / "runs" / "StubData" / "StubModel-tiny").iterdir()
    assert out.name == json.loads((out / "manifest.json").read_text())["config_hash"][:8] + "-s2"
    assert main(["test", *words, "--data.text", "blank"]) == 0
    assert len(read_rows(out / "test-blank" / "cases.csv")) == 2, "debug limits the test too"
