"""Options of the SLURM launcher, without a SLURM."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.cli import main
from benchmarks.run import slurm
from benchmarks.storage.stored_plan import store_plan
from tests.helpers.three_jobs import three_jobs
from zoo.errors import ConfigError, RunError


@pytest.mark.parametrize(
    ("text", "expected"),
    [("90", 90), ("90:30", 91), ("1:30:00", 90), ("2-0", 2880), ("2-12:30", 3630), ("1-00:00:01", 1441)],
)
def test_minutes_of_a_time_of_slurms(text: str, expected: int) -> None:
    assert slurm.parse_minutes(text) == expected


def test_a_time_that_is_none_is_refused() -> None:
    with pytest.raises(ConfigError, match="not a time of SLURM"):
        slurm.parse_minutes("a day")


def test_without_slurm_the_launcher_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    plan = store_plan(tmp_path / "bench", three_jobs())
    with pytest.raises(RunError, match=r"SLURM refused the jobs: .*srun"):
        slurm.submit(tmp_path / "bench", plan, print, {}, controls=None)


def test_the_options_of_slurm_need_its_launcher(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "--plan", "demo", "--out", str(tmp_path / "x"), "--slurm.partition", "gpu"]) == 2
    assert "--slurm.KEY without --launcher slurm" in capsys.readouterr().err
    assert not (tmp_path / "x").exists()


HOSTILE = {
    "partition": "gpu\ntouch X",
    "comment": "a\rb",
    "job-name": "a\x1b[31m",
    "account": "",
    "part\nition": "gpu",
    "x=1 --wrap": "touch X",
    "setup": "module load cuda",
    "srun-args": "--x",
    "additional_parameters": "x",
    "array-parallelism": "abc",
    "nodes": "2",
}


@pytest.mark.parametrize("key", HOSTILE)
def test_an_option_that_the_batch_script_cannot_hold_is_refused(key: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"--slurm\."):
        slurm.check_submission(tmp_path, {key: HOSTILE[key]})


@pytest.mark.parametrize("name", ["a\ntouch X", "50%j", "a\x1b"])
def test_a_folder_that_the_batch_script_cannot_hold_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="SLURM cannot write logs there"):
        slurm.check_submission(tmp_path / name, {})


def test_options_of_sbatch_are_kept_as_they_are(tmp_path: Path) -> None:
    typed = {"partition": "gpu;x $(id) 'a'", "gres": "gpu:a100:2", "mail-user": "a@b", "array_parallelism": "4"}
    assert slurm.check_submission(tmp_path, typed) == {key.replace("-", "_"): value for key, value in typed.items()}


def test_a_refused_option_of_slurm_stores_no_plan(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "x"
    options = ["--launcher", "slurm", "--slurm.partition", "gpu\ntouch X"]
    assert main(["run", "--plan", "demo", "--out", str(out), *options]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert not out.exists()
