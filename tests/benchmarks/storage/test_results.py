"""`read_benchmark` reads everything once, and the leaderboard needs no file."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from benchmarks import make_leaderboard, read_benchmark, rows_as_dicts
from benchmarks.storage import layout
from tests.helpers.made_up_benchmark import benchmark
from tests.helpers.sample_benchmark import job
from zoo.errors import RunError

JOBS = [job("unet", 1), job("unet", 0), job("bipvl", 0, "class")]


def test_a_leaderboard_is_made_after_the_folder_is_gone(tmp_path: Path) -> None:
    folder = benchmark(tmp_path / "bench", JOBS, ("liver", "spleen"), cases=3)
    layout.write_json(layout.costs_path(folder), {"version": 1, "costs": {JOBS[0].cost_key: {"params": 1}}})
    found = read_benchmark(folder)
    shutil.rmtree(folder)
    assert [one.job.id for one in found.results] == sorted(one.id for one in JOBS)
    assert {one.state for one in found.results} == {"done"}
    assert [one.name for one in found.controls] == ["all-background", "mean-shape"]
    assert found.costs == {JOBS[0].cost_key: {"params": 1}}
    models = [row["model"] for row in rows_as_dicts(make_leaderboard(found))]
    assert models == ["bipvl", "unet", "control:all-background", "control:mean-shape"]


def test_each_job_knows_its_folder_and_its_name(tmp_path: Path) -> None:
    folder = benchmark(tmp_path, [job("unet", 2, fold=1, folds=2)], ("liver",), cases=1)
    (result,) = read_benchmark(folder).results
    assert result.folder == layout.job_folder(folder, result.job.id)
    assert result.name == "seed 2 fold 1"
    assert result.manifest["metric_version"] == "1"
    assert set(result.tests) == {"test"}


def test_a_folder_without_a_benchmark_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no benchmark here"):
        read_benchmark(tmp_path)
