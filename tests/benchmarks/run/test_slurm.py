"""The SLURM launcher, on a real SLURM of one node, and what it makes of its options."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

import pytest

from benchmarks.cli import main
from benchmarks.leaderboard.leaderboard import make_leaderboard
from benchmarks.plan.job import Plan
from benchmarks.run import slurm, slurm_queue
from benchmarks.run.local import run_plan
from benchmarks.storage import layout
from benchmarks.storage.results import read_benchmark
from benchmarks.storage.stored_plan import load_plan, store_plan
from tests.helpers.paths import REPOSITORY
from tests.helpers.three_jobs import three_jobs

LOCAL = REPOSITORY.parent / "shared" / "slurm-local.sh"
STUB = (sys.executable, "-m", "tests.helpers.training_stub")
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


def trained_two_steps(run: Path) -> bool:
    """Whether a stub has a checkpoint of two steps."""
    last = run / "checkpoints" / "last.ckpt"
    return last.is_file() and json.loads(last.read_text())["step"] >= 2


class Trouble:
    """Does something to jobs once their training is under way; nothing waits longer than it must."""

    def __init__(
        self,
        folder: Path,
        todo: Mapping[str, Callable[[str], object]] | None = None,
        under_way: Callable[[Path], bool] = trained_two_steps,
    ) -> None:
        self.folder, self.todo, self.under_way = folder, dict(todo or {}), under_way

    def __call__(self) -> None:
        for name, element in slurm_queue.read_elements(self.folder).items():
            ready = element.state == "RUNNING" and self.under_way(layout.job_folder(self.folder, name))
            if name in self.todo and ready:
                self.todo.pop(name)(element.number)
            elif element.state == "PENDING":  # what is requeued waits for two minutes otherwise
                command = ["scontrol", "update", f"JobId={element.number}", "StartTime=now"]
                subprocess.run(command, check=False, capture_output=True)


def cancel(number: str) -> None:
    subprocess.run(["scancel", number], check=True)


def preempt(number: str) -> None:
    subprocess.run(["scancel", "--signal=USR2", number], check=True)


def begun_at(run: Path) -> list[int]:
    """The step at which each fit of a stub began."""
    lines = (run / "log.txt").read_text().splitlines()
    return [int(line.rpartition(" ")[2]) for line in lines if line.startswith("from step ")]


def left_behind(folder: Path) -> list[str]:
    """Command lines of the processes that still work in a folder."""
    shown = subprocess.run(["ps", "-eo", "args"], check=True, capture_output=True, text=True).stdout
    return [line for line in shown.splitlines() if str(folder) in line]


@pytest.mark.slurm
@pytest.mark.usefixtures("cluster")
def test_what_is_preempted_or_cancelled_is_requeued(
    tmp_path: Path, stub: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The pre-empted by itself, the cancelled by the same command: each keeps its number and goes on."""
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
    trouble = Trouble(there, {preempted: preempt, cancelled: cancel})
    slurm_queue.wait(there, plan, list(submitted), lines.append, trouble)
    assert not trouble.todo
    runs = {job.id: layout.job_folder(there, job.id) for job in plan.jobs}
    states = {job.id: layout.find_job_state(runs[job.id], job.steps)[0] for job in plan.jobs}
    assert states == {text: "done", preempted: "done", cancelled: "unfinished"}
    number = submitted[cancelled]
    said = f"SLURM {number} cancelled: the same `zoo bench run` or `scontrol requeue {number}` restarts it"
    assert f"{cancelled}: {said}" in lines
    assert main(["status", str(there)]) == 0
    assert f"{cancelled}  next: fit, {said}" in capsys.readouterr().out
    assert not left_behind(there)
    again = slurm.submit(there, plan, lines.append, OPTIONS, command=STUB, controls=None)
    assert again == {cancelled: number}
    slurm_queue.wait(there, plan, list(again), lines.append, Trouble(there))
    assert lines[-1] == f"{cancelled}: done"
    for name in (preempted, cancelled):
        assert layout.read_status(runs[name])["place"] == {"slurm_job": submitted[name], "slurm_restarts": 1}
        assert layout.read_status(runs[name])["attempt"] == 2
        first, second = begun_at(runs[name])
        assert first == 0
        assert second >= 2
    assert make_leaderboard(read_benchmark(there)) == make_leaderboard(read_benchmark(here))


@pytest.mark.slurm
@pytest.mark.usefixtures("cluster")
def test_a_task_with_other_options_is_submitted_again(tmp_path: Path, stub: pytest.MonkeyPatch) -> None:
    jobs = three_jobs().jobs
    plan = store_plan(tmp_path, Plan(jobs[1:2]))

    def submit(**further: str) -> str:
        [number] = slurm.submit(tmp_path, plan, print, OPTIONS | further, command=STUB, controls=None).values()
        cancel(number)
        return number

    first = submit(begin="now+1hour")
    assert submit(begin="now+1hour") == first
    other = submit(begin="now+2hours")
    assert other != first
    stub.setenv("ZOO_DATA", "/elsewhere")
    assert submit(begin="now+2hours") not in (first, other)


@pytest.mark.slurm
@pytest.mark.slow
@pytest.mark.usefixtures("cluster")
def test_a_training_longer_than_its_slot_takes_several(tmp_path: Path, stub: pytest.MonkeyPatch) -> None:
    """The shortest slot there is, a minute; SLURM's own warning, and nothing but it, ends the first."""
    here, there = tmp_path / "here", tmp_path / "there"
    plan = Plan(three_jobs().jobs[1:2])
    stub.setenv("STUB_STEPS", "45")
    assert run_plan(here, store_plan(here, plan), print, command=STUB, controls=None) == 0
    stub.setenv("STUB_SECONDS", "0.7")
    plan, lines = store_plan(there, plan), list[str]()
    submitted = slurm.submit(there, plan, lines.append, OPTIONS | {"time": "1"}, command=STUB, controls=None)
    slurm_queue.wait(there, plan, list(submitted), lines.append, Trouble(there))
    [run] = there.glob("results/*")
    assert lines[-1] == f"{run.name}: done"
    assert layout.read_status(run)["place"]["slurm_restarts"] >= 1
    starts = begun_at(run)
    assert starts == sorted(set(starts))
    assert len(starts) >= 2
    assert not left_behind(there)
    assert make_leaderboard(read_benchmark(there)) == make_leaderboard(read_benchmark(here))


@pytest.mark.slurm
@pytest.mark.slow
@pytest.mark.usefixtures("cluster")
def test_a_slot_too_short_for_a_checkpoint_is_not_asked_for_again_and_again(
    tmp_path: Path, stub: pytest.MonkeyPatch
) -> None:
    stub.setenv("STUB_SECONDS", "100")
    plan, lines = store_plan(tmp_path, Plan(three_jobs().jobs[1:2])), list[str]()
    submitted = slurm.submit(tmp_path, plan, lines.append, OPTIONS | {"time": "1"}, command=STUB, controls=None)
    slurm_queue.wait(tmp_path, plan, list(submitted), lines.append, Trouble(tmp_path))
    [job] = plan.jobs
    reason = "fit: no checkpoint and no result within two slots of 1 min (--slurm.time)"
    assert lines[-1] == f"{job.id}: failed {reason}"
    assert layout.read_status(layout.job_folder(tmp_path, job.id))["place"]["slurm_restarts"] == 1
    assert not left_behind(tmp_path)


TWO_RANKS = ("run", "--models", "unet", "--data", "phantom_chest", "--trainer", "cpu", "--data.epoch_samples", "32")


def on_slurm(folder: Path) -> list[str]:
    options = [word for key, value in OPTIONS.items() for word in (f"--slurm.{key}", value)]
    return ["--out", str(folder), "--launcher", "slurm", "--no-wait", *options]


@pytest.mark.slurm
@pytest.mark.slow
@pytest.mark.usefixtures("cluster")
@pytest.mark.parametrize("size", [("--devices", "2"), ("--devices", "1", "--trainer.num_nodes", "2")])
def test_two_tasks_are_joined_and_come_back_together(tmp_path: Path, size: tuple[str, ...]) -> None:
    """The real command, its ranks started by SLURM on one node or on two: cancelled, requeued, pre-empted, done."""
    shown = subprocess.run(["sinfo", "--noheader", "--format=%D"], check=True, capture_output=True, text=True).stdout
    if "--trainer.num_nodes" in size and int(shown.split()[0]) < 2:
        pytest.skip("this SLURM has one node")
    there, here, lines = tmp_path / "there", tmp_path / "here", list[str]()
    named = [*TWO_RANKS, "--trainer.max_epochs", "4"]
    command = [*named, *size, *on_slurm(there)]
    assert main(command) == 0
    plan = load_plan(there)
    [job] = plan.jobs
    run = layout.job_folder(there, job.id)
    number = slurm_queue.read_elements(there)[job.id].number
    last = run / "checkpoints" / "last.ckpt"
    trouble = Trouble(there, {job.id: cancel}, lambda _: last.is_file())
    slurm_queue.wait(there, plan, [job.id], lines.append, trouble)
    assert not trouble.todo
    assert "cancelled" in lines[-1]
    assert not left_behind(there)
    before = last.stat().st_mtime_ns
    assert main(command) == 0
    assert slurm_queue.read_elements(there)[job.id].number == number
    trouble = Trouble(there, {job.id: preempt}, lambda _: last.stat().st_mtime_ns > before)
    slurm_queue.wait(there, plan, [job.id], lines.append, trouble)
    assert not trouble.todo
    assert lines[-1] == f"{job.id}: done"
    assert not left_behind(there)
    assert layout.read_status(run)["place"] == {"slurm_job": number, "slurm_restarts": 2}
    assert layout.read_manifest(run)["devices"] == 2  # type: ignore[index]
    assert main([*named, "--devices", "2", "--out", str(here)]) == 0
    assert make_leaderboard(read_benchmark(there)) == make_leaderboard(read_benchmark(here))


@pytest.mark.slurm
@pytest.mark.slow
@pytest.mark.usefixtures("cluster")
@pytest.mark.parametrize("rank", [0, 1])
def test_where_one_rank_dies_none_is_left_and_the_status_says_why(tmp_path: Path, rank: int) -> None:
    lines = list[str]()

    def kill(_: str) -> None:
        for path in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):  # it went in this instant
                words = (path / "cmdline").read_bytes().split(b"\0")
                ranked = f"SLURM_PROCID={rank}".encode() in (path / "environ").read_bytes().split(b"\0")
                if ranked and b"fit" in words and str(tmp_path).encode() in b" ".join(words):
                    os.kill(int(path.name), signal.SIGKILL)

    assert main([*TWO_RANKS, "--devices", "2", "--trainer.max_epochs", "50", *on_slurm(tmp_path)]) == 0
    plan = load_plan(tmp_path)
    [job] = plan.jobs
    run = layout.job_folder(tmp_path, job.id)
    trouble = Trouble(tmp_path, {job.id: kill}, lambda run: (run / "checkpoints" / "last.ckpt").is_file())
    slurm_queue.wait(tmp_path, plan, [job.id], lines.append, trouble)
    assert not trouble.todo
    assert lines[-1].startswith(f"{job.id}: failed fit: ")
    assert slurm_queue.read_elements(tmp_path)[job.id].state == "FAILED"
    assert not left_behind(tmp_path)
    assert not layout.is_locked(run)
