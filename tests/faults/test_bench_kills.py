"""A benchmark that is killed again and again ends with the table of one that was left alone, byte for byte."""

from __future__ import annotations

import os
import random
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.helpers.kills import VICTIMS, Benchmark
from tests.helpers.paths import REPOSITORY

STUB = [sys.executable, "-m", "tests.helpers.training_stub"]
RUNNER = f"""
import sys
from collections import Counter
from pathlib import Path
from benchmarks.run.gpu_pool import Pool
from benchmarks.plan.job import Job, Plan, Settings
from benchmarks.storage.stored_plan import store_plan
from benchmarks.run.local import run_plan
folder = Path(sys.argv[1])
two = Settings("tiny", "cpu", 2)
jobs = [Job("unet", "hippocampus", seed, settings=two) for seed in (0, 1)]
jobs += [Job("bipvl", data, 0, settings=two, track="class", encoder="tiny", texts=("true", "shuffled"))
         for data in ("hippocampus", "phantom_abdomen")]
plan = store_plan(folder, Plan(tuple(jobs)))
sys.exit(run_plan(folder, plan, print, command={STUB!r}, controls=None, pool=Pool([], 2)) > 0)
"""
MATRIX = """
models: [unet, film, tevia, bipvl]
data:
  phantom_chest: {overrides: {data.epoch_samples: 32}}
  hippocampus: {overrides: {data.epoch_samples: 8, data.train_share: 0.1}}
seeds: [0, 1, 2]
texts: [true, shuffled]
trainer: cpu
overrides: {trainer.max_epochs: 3}
"""


def compare(left_alone: Benchmark, killed: Benchmark) -> None:
    for kind in ("csv", "md", "json"):
        assert killed.table(kind) == left_alone.table(kind)
    assert not killed.counted_twice()
    files = [
        {path.relative_to(one.folder) for path in one.folder.glob("results/*/test*/cases.csv")}
        for one in (left_alone, killed)
    ]
    assert files[0] == files[1]
    for path in files[0]:
        assert (killed.folder / path).read_bytes() == (left_alone.folder / path).read_bytes()


@pytest.fixture
def environment() -> dict[str, str]:
    if not Path("/proc/self/stat").exists():
        pytest.skip("needs /proc")
    return {**os.environ, "PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"}


def test_the_table_of_a_killed_benchmark_is_that_of_one_left_alone(tmp_path: Path, environment: dict[str, str]) -> None:
    """With a stand-in for `zoo`, whose results tell a step that was lost or taken twice."""
    left_alone, *rounds = (
        Benchmark([sys.executable, "-c", RUNNER, str(tmp_path / name)], tmp_path / name, environment)
        for name in ("left_alone", "first", "second", "third")
    )
    left_alone.undisturbed()
    hits = Counter[str]()
    for seed, killed in enumerate(rounds, start=1):  # a benchmark on a busy machine may end before all are hit
        victims = list(VICTIMS) * 2
        random.Random(seed).shuffle(victims)  # noqa: S311 - an order, no secret
        hits += killed.under_fire(victims, seed=seed, pause=(0.05, 0.6))
        compare(left_alone, killed)
        if set(hits) == set(VICTIMS):
            break
    assert set(hits) == set(VICTIMS), hits


@pytest.mark.slow
@pytest.mark.realdata
def test_ten_kills_of_four_models_on_two_data_sets(
    tmp_path: Path, real_data: Path, environment: dict[str, str]
) -> None:
    """24 trainings on the chest phantoms and the hippocampus, each with its tests, by the real command."""
    (tmp_path / "plan.yaml").write_text(MATRIX)
    root = str(real_data / "Task04_Hippocampus")
    folders = [tmp_path / name for name in ("left_alone", "killed")]
    run = [sys.executable, "-m", "zoo", "bench", "run", "--plan", str(tmp_path / "plan.yaml"), "--data.root", root]
    left_alone, killed = (Benchmark([*run, "--out", str(folder)], folder, environment) for folder in folders)
    left_alone.undisturbed()
    victims = ["runner", "job", "checkpoint", "result", "runner", "job", "checkpoint", "result", "runner", "job"]
    hits = killed.under_fire(victims, seed=5, pause=(1.0, 20.0), patience=15.0)
    assert hits.total() == len(victims), hits
    compare(left_alone, killed)


@pytest.mark.slow
def test_a_killed_rank_of_two(tmp_path: Path, environment: dict[str, str]) -> None:
    """The real command with two ranks a job: a rank is killed and its job ends with it, is resumed, and is the same."""
    folders = [tmp_path / name for name in ("left_alone", "killed")]
    run = [
        sys.executable,
        "-m",
        "zoo",
        "bench",
        "run",
        "--models",
        "unet",
        "--data",
        "phantom_chest",
        "--trainer",
        "cpu",
    ]
    run += ["--devices", "2", "--data.epoch_samples", "64", "--trainer.max_epochs", "4", "--seeds", "0,1"]
    left_alone, killed = (Benchmark([*run, "--out", str(folder)], folder, environment) for folder in folders)
    left_alone.undisturbed()
    hits = killed.under_fire(["rank", "runner", "rank"], seed=2, pause=(8.0, 20.0))
    assert hits["rank"] == 2
    compare(left_alone, killed)
