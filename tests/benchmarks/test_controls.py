"""Controls on small generated sets, on the native grid and through the files that the table reads."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import yaml

from benchmarks import controls
from benchmarks.controls import main, write_controls
from benchmarks.plan import Job, Plan, Settings
from benchmarks.results import Control, read_controls
from benchmarks.runner import run_plan
from benchmarks.store import controls_folder
from benchmarks.work import step_arguments
from datamodules.build import build_data
from zoo.cli.main import main as zoo
from zoo.metrics.rows import read_rows

CHEST = ["--data.counts=[16,2,6]", "--data.init_args.pixels=48"]


def found(folder: Path, data: str) -> dict[str, Control]:
    return {control.name: control for control in read_controls(folder, data)}


def test_reports_give_four_controls_of_which_the_table_knows_the_track(tmp_path: Path) -> None:
    out = controls_folder(tmp_path, "phantom_chest")
    assert main(["--data", "phantom_chest", "--size", "tiny", "--out", str(out), *CHEST]) == 0
    data = build_data("phantom_chest", "tiny", counts=[16, 2, 6], pixels=48)
    seen = found(tmp_path, "phantom_chest")
    assert list(seen) == ["all-background", "mean-shape", "text-free-bound", "text-only"]
    empty = seen["all-background"].summary
    assert empty is not None
    cases = len(data.split.part("test"))
    assert (empty.dice, empty.missed, empty.cases, empty.unit) == (0.0, cases, cases, "px")
    assert empty.hd95 == pytest.approx(47 * 2**0.5)  # the diagonal of a 48 x 48 image
    assert seen["text-free-bound"].dice == data.controls()["text-free bound"]
    assert [seen[name].track for name in seen] == ["none", "none", "none", "mask-derived"]
    assert {control.facts["split_hash"] for control in seen.values()} == {data.split_hash}
    assert [row.case_id for row in read_rows(out / "mean-shape" / "cases.csv")] == sorted(data.split.part("test"))


def test_the_text_alone_knows_more_than_the_mean_shape(tmp_path: Path) -> None:
    data = build_data("phantom_chest", "tiny", counts=[80, 2, 12], pixels=48)
    write_controls(data, tmp_path / "controls" / "c")
    seen = found(tmp_path, "c")
    text, shape = seen["text-only"].summary, seen["mean-shape"].summary
    assert text is not None
    assert shape is not None
    assert (text.dice or 0) > (shape.dice or 0) > 0


def test_class_sentences_have_no_text_only_prior(tmp_path: Path) -> None:
    data = build_data("phantom_abdomen", "tiny", counts=[4, 1, 2])
    write_controls(data, tmp_path / "controls" / "a")
    seen = found(tmp_path, "a")
    assert seen["text-only"].summary is None
    assert seen["text-only"].note == controls.SAME_TEXT
    shape = seen["mean-shape"].summary
    assert shape is not None
    assert (shape.unit, shape.cases) == ("mm", 2)
    assert 0 < (shape.dice or 0) < 1


def test_controls_that_fail_are_a_row_with_their_reason(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    job = Job("unet", "hippocampus", 0, root=str(tmp_path / "nowhere"), settings=Settings("tiny"))
    assert main(["--data", job.data, "--size", "tiny", "--out", str(tmp_path), f"--data.root={job.root}"]) == 2
    reason = capsys.readouterr().err
    assert reason.startswith("zoo: error: ")
    assert "nowhere" in reason
    lines: list[str] = []
    no = [sys.executable, "-c", "import sys; sys.exit('zoo: error: ' + sys.argv[-1])"]
    assert run_plan(tmp_path, Plan((job,)), lines.append, command=no, controls=no) == 2
    (control,) = read_controls(tmp_path, "hippocampus")
    assert control.note == f"zoo: error: --data.root={job.root}"
    assert lines[0] == "controls of hippocampus: controls"


def test_the_zoo_understands_the_arguments_of_a_job(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = Settings("tiny", "cpu", 1, (("data.batch_size", "2"), ("trainer.max_steps", "3")))
    job = Job("bipvl", "phantom_chest", 7, encoder="tiny", track="mask-derived", settings=settings)
    assert zoo([*step_arguments(job, "fit", tmp_path / "run"), "--print_config"]) == 0
    config = yaml.safe_load(capsys.readouterr().out)
    assert config["seed_everything"] == 7
    assert config["model"]["init_args"]["encoder"] == "tiny"
    assert config["data"]["init_args"]["batch_size"] == 2
    assert (int(config["trainer"]["devices"]), config["trainer"]["max_steps"]) == (1, 3)
