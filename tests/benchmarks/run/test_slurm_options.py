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
