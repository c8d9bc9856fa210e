"""The runner: killed and resumed, locked, never stopped by a failing job. The jobs are a stand-in's."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from benchmarks.leaderboard.leaderboard import make_leaderboard
from benchmarks.plan.job import Job, Plan, Settings
from benchmarks.run.failure_reasons import find_reason
from benchmarks.run.local import run_plan
from benchmarks.storage import layout
from benchmarks.storage.results import read_benchmark
from benchmarks.storage.stored_plan import load_plan, store_plan
from tests.helpers.paths import REPOSITORY
from tests.helpers.sealed_runs import write_test
from zoo.metrics.case_scores import METRIC_VERSION, read_rows

FAKE = [sys.executable, "-m", "tests.helpers.fake_zoo"]
RUNNER = f"""
import signal
import sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # a suite in the background has its processes ignore it
from pathlib import Path
from benchmarks.storage.stored_plan import load_plan
from benchmarks.run.local import run_plan
folder = Path(sys.argv[1])
sys.exit(run_plan(folder, load_plan(folder), print, command={FAKE!r}, controls=None))
"""


@pytest.fixture(autouse=True)
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY))
    monkeypatch.setenv("FAKE_CALLS", str(tmp_path / "calls.txt"))
    return tmp_path / "calls.txt"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "bench"


def plan(*models: str, seeds: int = 1) -> Plan:
    settings = Settings(size="tiny", trainer="cpu")
    return Plan(
        tuple(
            Job(model, "hippocampus", seed, settings=settings, track="class", encoder="tiny")
            if model == "bipvl"
            else Job(model, "hippocampus", seed, settings=settings)
            for model in models
            for seed in range(seeds)
        )
    )


def steps(calls: Path) -> Counter[str]:
    """How often each step was begun."""
    return Counter(line.rsplit(" ", 1)[0] for line in calls.read_text(encoding="utf-8").splitlines())


def run(folder: Path, jobs: Plan) -> tuple[int, list[str]]:
    lines: list[str] = []
    failed = run_plan(folder, store_plan(folder, jobs), lines.append, command=FAKE, controls=None)
    return failed, lines


def start(folder: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", RUNNER, str(folder)], stdout=subprocess.PIPE)


def wait_for(condition: str, calls: Path) -> None:
    """Until a call is in the file of calls."""
    for _ in range(200):
        if calls.is_file() and condition in calls.read_text(encoding="utf-8"):
            return
        time.sleep(0.05)
    raise AssertionError(f"never seen: {condition}")


def alive(pid: int) -> bool:
    """Whether a process runs; a zombie does not."""
    status = Path(f"/proc/{pid}/stat")
    if not status.parent.parent.joinpath("self").exists():
        pytest.skip("needs /proc")
    return status.is_file() and status.read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"


def test_a_plan_runs_once_and_its_table_is_made_from_what_is_stored(folder: Path, calls: Path) -> None:
    failed, lines = run(folder, plan("unet", "bipvl"))
    assert failed == 0
    assert lines[0] == "[1/2] hippocampus-unet-tiny-s0: fit"
    assert steps(calls) == Counter(
        ["hippocampus-unet-tiny-s0 fit true", "hippocampus-unet-tiny-s0 test true"]
        + [
            f"hippocampus-bipvl-tiny-tiny-s0 {s}"
            for s in ("fit true", "test true", "test shuffled", "test blank", "test names")
        ]
    )
    before = steps(calls)
    assert run(folder, plan("unet", "bipvl"))[1][0].endswith("done already")
    assert steps(calls) == before
    (block,) = make_leaderboard(read_benchmark(folder)).groups
    assert [row.model for row in block.ranked] == ["bipvl", "unet"]
    assert block.ranked[0].text_gain == pytest.approx(0.3)
    assert block.controls[0].reason == "not computed yet"


def test_a_failing_job_is_a_row_and_stops_nothing(folder: Path, calls: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_FAIL", "unet")
    monkeypatch.setenv("FAKE_BUG", "other")
    failed, _ = run(folder, plan("unet", "other", "bipvl"))
    assert failed == 2
    (block,) = make_leaderboard(read_benchmark(folder)).groups
    assert [row.model for row in block.ranked] == ["bipvl"]
    other, unet = block.unranked
    assert unet.reason == "0 of 1 seeds: seed 0 failed (fit: No such file img.nii.gz. Mend it.)"
    assert other.reason == "0 of 1 seeds: seed 0 failed (fit: ValueError: three | bars)"
    monkeypatch.delenv("FAKE_FAIL")
    monkeypatch.delenv("FAKE_BUG")
    assert run(folder, plan("unet", "other", "bipvl"))[0] == 0  # tried again
    assert {layout.read_status(run)["state"] for run in folder.glob("results/*")} == {"done"}
    assert steps(calls)["hippocampus-bipvl-tiny-tiny-s0 fit true"] == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_a_killed_runner_takes_its_job_along_and_the_next_goes_on(
    folder: Path, calls: Path, number: signal.Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = store_plan(folder, plan("unet", seeds=2))
    monkeypatch.setenv("FAKE_SLEEP", "60")
    run_folder = layout.job_folder(folder, jobs.jobs[0].id)
    with start(folder) as runner:
        wait_for("s0 fit", calls)
        child = int(calls.read_text(encoding="utf-8").split()[-1])
        assert alive(child)
        assert layout.find_job_state(run_folder, jobs.jobs[0].steps) == ("running", "fit")
        os.kill(runner.pid, number)
        assert runner.wait(timeout=10) != 0
    for _ in range(100):
        if not alive(child):
            break
        time.sleep(0.05)
    assert not alive(child)
    assert layout.find_job_state(run_folder, jobs.jobs[0].steps) == ("unfinished", "next: fit")
    assert layout.read_failure(run_folder) is None
    monkeypatch.setenv("FAKE_SLEEP", "0")
    assert run(folder, jobs)[0] == 0
    assert steps(calls)["hippocampus-unet-tiny-s0 fit true"] == 2
    assert make_leaderboard(read_benchmark(folder)).rows[0].seeds == 2


def test_a_killed_job_is_a_failure_with_the_signal_as_its_reason(
    folder: Path, calls: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = store_plan(folder, plan("unet"))
    monkeypatch.setenv("FAKE_SLEEP", "60")
    with start(folder) as runner:
        wait_for("s0 fit", calls)
        os.kill(int(calls.read_text(encoding="utf-8").split()[-1]), signal.SIGKILL)
        assert runner.wait(timeout=10) == 1
    state = layout.find_job_state(layout.job_folder(folder, jobs.jobs[0].id), jobs.jobs[0].steps)
    assert state == ("failed", "fit: ended by SIGKILL")


def test_two_runners_never_run_the_same_job(folder: Path, calls: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    jobs = store_plan(folder, plan("unet", "bipvl", seeds=2))
    monkeypatch.setenv("FAKE_SLEEP", "1.5")
    with start(folder) as first, start(folder) as second:
        assert first.wait(timeout=50) == second.wait(timeout=50) == 0
        output = (first.stdout.read() if first.stdout else b"") + (second.stdout.read() if second.stdout else b"")
    assert b"another runner works on it" in output
    counts = steps(calls)
    assert len(counts) == 2 * 2 + 2 * 5
    assert set(counts.values()) == {1}
    assert len(load_plan(folder).jobs) == len(jobs.jobs) == 4


@pytest.mark.parametrize(
    ("output", "code", "reason"),
    [
        ("a\nzoo: error: No file. Mend it.\n", 2, "No file. Mend it."),
        (
            "Traceback\n  x\ntorch.cuda.OutOfMemoryError: CUDA\nwarning: leaked\n",
            1,
            "torch.cuda.OutOfMemoryError: CUDA",
        ),
        ("", 3, "exit code 3 without output"),
        ("last words\n", 3, "last words"),
        ("anything", 137, "ended by SIGKILL"),
        ("[rank1]: OSError: full\nnoise\n", 137, "[rank1]: OSError: full (ended by SIGKILL)"),
        ("zoo: error: No file. Mend it.\nnoise of another rank\n", 2, "No file. Mend it."),
        ("anything", -11, "ended by SIGSEGV"),
        ("anything", 250, "ended by signal 122"),
    ],
)
def test_the_reason_of_a_failure_is_one_line(output: str, code: int, reason: str) -> None:
    assert find_reason(output, code) == reason


def test_a_step_without_its_result_has_failed(folder: Path) -> None:
    jobs = store_plan(folder, plan("unet"))
    assert run_plan(folder, jobs, lambda _: None, command=[sys.executable, "-c", ""], controls=None) == 1
    failed = layout.read_failure(layout.job_folder(folder, jobs.jobs[0].id))
    assert failed is not None
    assert (failed["step"], failed["reason"]) == ("fit", "fit ended without an error and without its result")


def test_the_metric_version_is_that_of_the_tests(folder: Path) -> None:
    """A run that was trained under one version may be tested under the next."""
    [job] = store_plan(folder, plan("unet")).jobs
    assert run_plan(folder, plan("unet"), print, command=FAKE, controls=None) == 0
    trained, _control = make_leaderboard(read_benchmark(folder)).rows
    run = layout.job_folder(folder, job.id)
    write_test(run, "test", read_rows(layout.cases_path(run, "test")), {"metric_version": "99"})
    tested, _control = make_leaderboard(read_benchmark(folder)).rows
    assert (trained.metric_version, tested.metric_version) == (METRIC_VERSION, "99")
