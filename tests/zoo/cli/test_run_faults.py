"""A run that cannot start or is interrupted ends with one line and leaves no incomplete file."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import zoo.registry
from datamodules.build import build_datamodule
from tests.helpers.score_rows import one_row
from tests.helpers.stub_commands import FIT, HERE, STUB, error_line
from tests.helpers.warm_process import WarmCommand
from zoo.callbacks.scores import Scores, describe
from zoo.cli.main import main
from zoo.metrics.case_scores import LEAK, read_rows
from zoo.registry import Registry
from zoo.utils.entry_points import EntryPoint

CHEST = ["fit", "--model", "bipvl", "--data", "phantom_chest", "--trainer", "debug"]


pytestmark = pytest.mark.usefixtures("stub_importable")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--model.encoder", "minilmm"], "Unknown text encoder 'minilmm'. Did you mean minilm?"),
        (["--data.text", "shuffeld"], "Did you mean shuffled?"),
        (["--data.protocol", "none_such"], "Unknown protocol"),
        (["--data.patch", "[8]"], "--data.patch [8] does not fit"),
    ],
)
def test_a_value_that_a_constructor_refuses_ends_with_one_line(
    words: list[str], says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = error_line([*CHEST, *words, "--out", str(tmp_path / "run")], capsys)
    assert says in line
    assert "Namespace" not in line
    assert not (tmp_path / "run").exists()


def test_a_failed_start_leaves_no_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["fit", "--model", "unet", "--data", "hippocampus", "--trainer", "debug", "--data.root", str(tmp_path)]
    assert "dataset.json" in error_line([*words, "--out", str(tmp_path / "run")], capsys)
    assert not (tmp_path / "run").exists()


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("mine")
    assert "cannot be written" in error_line([*FIT, "--out", str(tmp_path / "file" / "run")], capsys)


def test_the_preset_debug_fits_validates_and_tests(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["fit", *STUB[:4], "--trainer", "debug", "--out", str(tmp_path / "run")]
    assert main(words) == 0
    shown = capsys.readouterr().out
    assert shown.count("val/dice") == 2, "after the fit, and of its best checkpoint"
    assert len(read_rows(tmp_path / "run" / "test" / "cases.csv")) == 2
    tested = (tmp_path / "run" / "test" / "cases.csv").stat().st_mtime_ns
    assert main(words) == 0
    assert (tmp_path / "run" / "test" / "cases.csv").stat().st_mtime_ns == tested
    (tmp_path / "run" / "test" / "cases.csv").unlink()
    assert main(words) == 0, "what was cut off before the test goes on there"
    assert (tmp_path / "run" / "test" / "cases.csv").is_file()


@pytest.mark.xdist_group("ranks")  # the process is forked from the one that forks the ranks
def test_an_interrupted_run_is_reported_and_not_finished(tmp_path: Path) -> None:
    out, log = tmp_path / "run", tmp_path / "log"
    words = ["fit", *STUB, "--trainer.max_epochs", "100000", "--out", str(out)]
    command = WarmCommand(words, log, {"PYTHONPATH": str(HERE)})
    while command.running and not (log.is_file() and "\nepoch 2/" in log.read_text()):
        time.sleep(0.02)
    command.interrupt()
    code, said = command.wait(), log.read_text()
    assert code == 130, said
    assert "zoo: interrupted" in said
    assert "Traceback" not in said
    assert json.loads((out / "manifest.json").read_text())["finished"] is None


@pytest.mark.xdist_group("ranks")
def test_sigterm_ends_a_run_with_its_own_code(tmp_path: Path) -> None:
    out, log = tmp_path / "run", tmp_path / "log"
    words = ["fit", *STUB, "--trainer.max_epochs", "100000", "--out", str(out)]
    command = WarmCommand(words, log, {"PYTHONPATH": str(HERE)})
    while command.running and not (log.is_file() and "\nepoch 2/" in log.read_text()):
        time.sleep(0.02)
    command.terminate()
    code, said = command.wait(), log.read_text()
    assert code == 143, said
    assert "zoo: terminated; the same command continues" in said
    assert "Traceback" not in said
    assert json.loads((out / "manifest.json").read_text())["finished"] is None


def test_a_name_that_is_in_use_keeps_its_card(monkeypatch: pytest.MonkeyPatch) -> None:
    point = EntryPoint("unet", "theirs:unet.yaml", "theirs")
    monkeypatch.setattr(zoo.registry, "list_points", lambda group: ([point] if group == "zoo.models" else [], {}))
    models = Registry("model", "model", "zoo.models", "zoo list models")
    assert models.get("unet").origin == "zoo"
    [broken] = [card for card in models if card.broken]
    assert broken.name == "unet@theirs"
    assert "is taken" in broken.broken


def test_rows_of_a_declared_leak_are_marked(tmp_path: Path) -> None:
    for leak, mark in ((True, LEAK), (False, "")):
        data = SimpleNamespace(leak_declared=leak)
        trainer: Any = SimpleNamespace(
            world_size=1, is_global_zero=True, datamodule=data, limit_test_batches=2, test_dataloaders=None
        )
        scores = Scores(tmp_path / "test" / "cases.csv", tmp_path / "manifest.json")
        scores.rows = [one_row()]
        scores.on_test_epoch_end(trainer, SimpleNamespace())  # type: ignore[arg-type]
        assert [row.mark for row in read_rows(scores.path)] == [mark]


def test_scores_have_the_subject_and_the_voxel_size_of_each_case() -> None:
    """Only scored cases are listed; a real data module has two slices per subject."""
    data = build_datamodule("phantom_chest", "tiny", counts=[4, 2, 3], pixels=32, text="shuffled")
    [first, *_] = data.split.test
    about = describe(data, [replace(one_row(), case_id=first)])
    assert about["subjects"] == {first: data.split.subjects[first]}
    assert (about["text"], about["split_hash"], about["prompt_hash"]) == ("shuffled", data.split_hash, data.prompt_hash)
    assert about["fold"] is None
    other = build_datamodule("phantom_abdomen", "tiny", counts=[4, 1, 2])
    assert describe(other, [one_row()])["label_space_hash"] != about["label_space_hash"]
