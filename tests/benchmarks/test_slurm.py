"""The SLURM launcher, on a real SLURM of one node, and what it makes of its options."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks import slurm, store
from benchmarks.cli import main
from benchmarks.plan import Job, Plan, Settings, store_plan
from benchmarks.runner import run_plan
from benchmarks.table import read_table
from zoo.errors import ConfigError, RunError

REPOSITORY = Path(__file__).parents[2]
LOCAL = REPOSITORY.parent / "shared" / "slurm-local.sh"
STUB = (sys.executable, "-m", "tests.faults.training_stub")
OPTIONS = {"time": "5", "cpus-per-task": "1", "mem": "500M", "signal-delay-s": "5"}


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A SLURM that answers: one that runs already, or one of the script's."""

    def answers() -> bool:
        return (
            shutil.which("sinfo") is not None
            and subprocess.run(["sinfo"], check=False, capture_output=True).returncode == 0
        )

    if answers():
        yield
        return
    if not LOCAL.is_file() or os.getuid():
        pytest.skip("no SLURM answers, and there is no ../shared/slurm-local.sh to start one as root")
    folder = str(tmp_path_factory.mktemp("slurm"))
    subprocess.run(["bash", str(LOCAL), "start", folder], check=True)
    yield
    subprocess.run(["bash", str(LOCAL), "stop", folder], check=True)


@pytest.fixture
def stub(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY))
    monkeypatch.setenv("STUB_STEPS", "12")
    monkeypatch.setenv("STUB_SECONDS", "0.01")
    return monkeypatch


def three_jobs() -> Plan:
    settings = Settings(size="tiny", trainer="cpu")
    text = Job("bipvl", "hippocampus", 0, settings=settings, track="class", encoder="tiny", texts=("true", "shuffled"))
    return Plan((text, *(Job("unet", "hippocampus", seed, settings=settings) for seed in (0, 1))))


class Trouble:
    """Once a training is under way, pre-empts one job and cancels another."""

    def __init__(self, folder: Path, preempted: str, cancelled: str) -> None:
        self.folder = folder
        self.todo = {preempted: ["scancel", "--signal=USR2"], cancelled: ["scancel"]}

    def __call__(self) -> None:
        for name, (number, state) in slurm.queued(self.folder).items():
            last = store.job_folder(self.folder, name) / "checkpoints" / "last.ckpt"
            under_way = last.is_file() and json.loads(last.read_text())["step"] >= 2
            if name in self.todo and state == "RUNNING" and under_way:
                subprocess.run([*self.todo.pop(name), number], check=True)
            elif state == "PENDING":  # what is requeued waits for two minutes otherwise
                subprocess.run(
                    ["scontrol", "update", f"JobId={number}", "StartTime=now"], check=False, capture_output=True
                )


@pytest.mark.slurm
@pytest.mark.usefixtures("cluster")
def test_what_is_preempted_or_cancelled_comes_back(
    tmp_path: Path, stub: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    assert run_plan(here, store_plan(here, three_jobs()), print, command=STUB, controls=None) == 0
    stub.setenv("STUB_SECONDS", "0.2")
    plan, lines = store_plan(there, three_jobs()), list[str]()
    text, preempted, cancelled = (job.id for job in plan.jobs)
    submitted = slurm.submit(there, plan, lines.append, OPTIONS, command=STUB, controls=None)
    assert set(submitted) == {text, preempted, cancelled}
    assert slurm.submit(there, plan, lines.append, OPTIONS, command=STUB, controls=None) == submitted  # not twice
    capsys.readouterr()
    assert main(["status", str(there), "--json"]) == 0
    assert {job["queue"].split()[0] for job in json.loads(capsys.readouterr().out)["jobs"]} == {"SLURM"}
    trouble = Trouble(there, preempted, cancelled)
    slurm.wait(there, plan, list(submitted), lines.append, trouble)
    assert not trouble.todo
    runs = {job.id: store.job_folder(there, job.id) for job in plan.jobs}
    states = {job.id: store.job_state(runs[job.id], job.steps)[0] for job in plan.jobs}
    assert states == {text: "done", preempted: "done", cancelled: "unfinished"}
    assert store.status(runs[preempted])["place"]["slurm_restarts"] == 1
    assert store.status(runs[preempted])["attempt"] == 2
    again = slurm.submit(there, plan, lines.append, OPTIONS, command=STUB, controls=None)
    assert set(again) == {cancelled}
    slurm.wait(there, plan, list(again), lines.append)
    assert lines[-1] == f"{cancelled}: done"
    assert read_table(there) == read_table(here)


@pytest.mark.slurm
@pytest.mark.slow
@pytest.mark.usefixtures("cluster")
def test_two_ranks_are_two_tasks_that_lightning_joins(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The real command, its ranks started by SLURM; then the same on this machine."""
    named = ["run", "--models", "unet", "--data", "phantom_chest", "--trainer", "cpu", "--devices", "2"]
    named += ["--data.epoch_samples", "32", "--trainer.max_epochs", "2"]
    there, here = tmp_path / "there", tmp_path / "here"
    options = [word for key, value in OPTIONS.items() for word in (f"--slurm.{key}", value)]
    assert main([*named, "--out", str(there), "--launcher", "slurm", *options]) == 0, capsys.readouterr().out
    assert main([*named, "--out", str(here)]) == 0
    assert read_table(there) == read_table(here)
    [run] = there.glob("results/*")
    assert store.status(run)["launcher"] == "slurm"
    assert store.manifest(run)["devices"] == 2  # type: ignore[index]


@pytest.mark.parametrize(
    ("text", "expected"),
    [("90", 90), ("90:30", 91), ("1:30:00", 90), ("2-0", 2880), ("2-12:30", 3630), ("1-00:00:01", 1441)],
)
def test_minutes_of_a_time_of_slurms(text: str, expected: int) -> None:
    assert slurm.minutes(text) == expected


def test_a_time_that_is_none_is_refused() -> None:
    with pytest.raises(ConfigError, match="no time as SLURM writes it"):
        slurm.minutes("a day")


def test_without_slurm_the_launcher_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    plan = store_plan(tmp_path / "bench", three_jobs())
    with pytest.raises(RunError, match=r"SLURM did not take the jobs: .*srun"):
        slurm.submit(tmp_path / "bench", plan, print, {}, controls=None)


def test_the_options_of_slurm_need_its_launcher(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "--plan", "demo", "--out", str(tmp_path / "x"), "--slurm.partition", "gpu"]) == 2
    assert "--slurm.KEY without --launcher slurm" in capsys.readouterr().err
    assert not (tmp_path / "x").exists()
