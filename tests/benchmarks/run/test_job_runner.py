"""What is done for one job: attempts, time, memory, texts that do not apply, and the status that is kept of it."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.plan.job import Job, Plan, Settings
from benchmarks.run.failure_reasons import CUDA_OUT, HOST_OUT, KILLED, find_advice
from benchmarks.run.job_runner import NO_LIMITS, ExecutionContext, Limits, Outcome, Task, run_task
from benchmarks.run.local import run_plan
from benchmarks.run.process_group import Stop, run_group
from benchmarks.storage import layout, locks
from benchmarks.storage.results import read_result
from benchmarks.storage.stored_plan import store_plan
from tests.helpers.paths import REPOSITORY
from zoo.utils.atomic_files import UNFINISHED

JOB = Job("bipvl", "hippocampus", 0, settings=Settings("tiny", "cpu"), track="class", encoder="tiny")
SAVES = "import json, sys; from pathlib import Path; run = Path(sys.argv[1]);"
FINISHED = "(run / 'manifest.json').write_text(json.dumps({'finished': 'now'}))"


def task(folder: Path, *codes: str) -> Task:
    """A task whose steps are pieces of Python."""
    steps = zip(JOB.steps, codes, strict=False)
    return Task("it", folder, tuple((step, (sys.executable, "-c", code, str(folder))) for step, code in steps), JOB)


def do(
    one: Task, limits: Limits = NO_LIMITS, context: ExecutionContext | None = None, stop: Stop | None = None
) -> tuple[Outcome, list[str]]:
    lines: list[str] = []
    return run_task(one, lines.append, context or ExecutionContext(), limits, stop or Stop()), lines


def test_a_crash_is_tried_again_and_each_attempt_is_kept(tmp_path: Path) -> None:
    once = "once = run / 'once'; first = not once.exists(); once.touch()\nif first: raise OSError('gone')"
    code = f"{SAVES} {once}\n{FINISHED}"
    outcome, lines = do(task(tmp_path, code), Limits(retries=2))
    assert outcome is Outcome.DONE
    assert lines[2] == "tried again, 2 more times"
    said = layout.read_status(tmp_path)
    assert (said["state"], said["attempt"], said["version"]) == ("done", 2, 1)
    assert [(one["attempt"], one["step"], one["reason"]) for one in said["failures"]] == [(1, "fit", "OSError: gone")]


@pytest.mark.parametrize(
    ("code", "reason", "advice"),
    [
        ("import sys; sys.exit('zoo: error: The loss is not finite') ", "The loss is not finite", ""),
        ("raise RuntimeError('CUDA out of memory. Tried')", "RuntimeError: CUDA out of memory. Tried", CUDA_OUT),
        ("raise MemoryError", "MemoryError", HOST_OUT),
        ("import os; os.kill(os.getpid(), 9)", "ended by SIGKILL", KILLED),
    ],
)
def test_a_failure_has_a_reason_and_advice(code: str, reason: str, advice: str, tmp_path: Path) -> None:
    outcome, lines = do(task(tmp_path, code))
    failed = layout.read_failure(tmp_path)
    assert outcome is Outcome.FAILED
    assert failed is not None
    assert (failed["step"], failed["reason"], failed["advice"]) == ("fit", reason, advice)
    assert len([line for line in lines if "failed" in line]) == 1
    assert "\n" not in lines[-1]


def test_each_epoch_of_a_job_is_one_line_of_progress(tmp_path: Path) -> None:
    epochs = [f"epoch {n}/2  train/loss 0.5  val/dice 0.4  1.0 s" for n in (1, 2)]
    noise = ["epoch 1/2  batch 3/8  loss 0.5  0:00:09 to go (1 s)", "a line of another library"]
    printed = "\n".join([noise[0], epochs[0], noise[1], epochs[1]])
    outcome, lines = do(task(tmp_path, f"print({printed!r}, flush=True)\n{SAVES} {FINISHED}"))
    assert outcome is Outcome.DONE
    assert lines[1:-1] == epochs


@pytest.mark.parametrize("code", ["import sys; sys.exit(2)", "raise RuntimeError('CUDA out of memory')"])
def test_what_no_attempt_changes_is_not_tried_again(code: str, tmp_path: Path) -> None:
    assert do(task(tmp_path, code), Limits(retries=3))[0] is Outcome.FAILED
    assert layout.read_status(tmp_path)["attempt"] == 1


def test_a_job_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    begun = time.monotonic()
    outcome, _ = do(task(tmp_path, "import time; time.sleep(60)"), Limits(retries=3, timeout=0.5))
    assert outcome is Outcome.FAILED
    assert time.monotonic() - begun < 20
    assert layout.read_status(tmp_path)["reason"] == "not done within 0.5 s (--timeout)"


def test_what_a_killed_attempt_left_half_written_is_removed_and_counts_for_nothing(tmp_path: Path) -> None:
    half = [tmp_path / "checkpoints" / f"{UNFINISHED}7-last.ckpt", tmp_path / "test" / f"{UNFINISHED}7-cases.csv"]
    for path in half:
        path.parent.mkdir()
        path.write_text("half")
    assert not layout.is_step_done(tmp_path, "test")
    assert do(task(tmp_path, f"{SAVES} {FINISHED}"))[0] is Outcome.DONE
    assert not any(path.exists() for path in half)


def test_a_kill_for_memory_differs_from_another_kill() -> None:
    assert find_advice("", 137) == KILLED
    assert find_advice("", 137, system_killed=True) == HOST_OUT
    assert find_advice("Traceback\nMemoryError\n", 1) == HOST_OUT
    allocator = "RuntimeError: [enforce fail at alloc_cpu.cpp:1] DefaultCPUAllocator: can't allocate memory: 1 bytes"
    assert find_advice(f"Traceback\n{allocator}\n", 1) == HOST_OUT
    assert (
        find_advice(f"zoo: error: runs/a: memory ran out: {allocator[14:]} Give a smaller --data.patch.", 2) == HOST_OUT
    )
    assert find_advice("OSError: [Errno 12] Cannot allocate memory", 1) == HOST_OUT
    assert find_advice("[rank1]: x\nValueError: of a rank", 137) == ""
    assert find_advice("it speaks of a MemoryError", 143) == ""
    assert find_advice("torch.OutOfMemoryError: CUDA out of memory.", 1) == CUDA_OUT


def test_a_text_that_does_not_apply_is_left_out_and_fails_nothing(tmp_path: Path) -> None:
    rows = (
        f"{SAVES} from tests.helpers.sample_rows import row; from zoo.metrics.case_scores import write_rows;"
        "write_rows(run / sys.argv[2] / 'cases.csv', [row('a', 'x', 0.5)])"
    )
    cannot = (
        "import sys; from zoo.utils.exit_codes import run_command; from zoo.text.controls import control_reports\n"
        "sys.exit(run_command(lambda: control_reports({'a': 'x'}, 'shuffled') and None))"
    )
    job = replace(JOB, texts=("true", "shuffled", "blank"))
    plan = store_plan(tmp_path, Plan((job,)))
    run = layout.job_folder(tmp_path, job.id)
    codes = {"fit": f"{SAVES} {FINISHED}", "test": rows, "test-shuffled": cannot, "test-blank": rows}
    steps = tuple((step, (sys.executable, "-c", codes[step], str(run), step)) for step in job.steps)
    outcome, lines = do(
        Task(job.id, run, steps, job), context=ExecutionContext("local", {"PYTHONPATH": str(REPOSITORY)})
    )
    assert outcome is Outcome.DONE, lines
    assert [line for line in lines if "left out" in line] == [
        "test-shuffled left out: text 'shuffled': all reports are the same string. Use --data.text blank instead."
    ]
    result = read_result(tmp_path, plan.jobs[0])
    assert result.state == "done"
    assert set(result.tests) == {"test", "test-blank"}
    assert do(Task(job.id, run, steps, job))[1] == ["done already"]


def test_shuffling_one_prompt_has_the_exit_code_that_the_runner_reads(
    capsys: pytest.CaptureFixture[str],
) -> None:
    from zoo.text.controls import control_classes
    from zoo.types import ClassPrompt
    from zoo.utils.exit_codes import run_command

    def shuffle() -> None:
        control_classes((ClassPrompt("a", "b"),), "shuffled")

    assert run_command(shuffle) == 3
    assert "nothing to exchange" in capsys.readouterr().err


def test_a_claim_that_is_lost_stops_the_task_and_leaves_the_status_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locks, "LEASE", 0.6)
    stop = Stop()

    def steal() -> None:
        while not locks.lease_path(tmp_path).exists():
            time.sleep(0.01)
        time.sleep(0.3)
        locks.lease_path(tmp_path).unlink()

    thief = threading.Thread(target=steal)
    thief.start()
    outcome, _ = do(task(tmp_path, "import time; time.sleep(60)"), stop=stop)
    thief.join()
    assert outcome is Outcome.STOPPED
    assert not stop.asked  # the other tasks go on
    assert layout.read_status(tmp_path)["state"] == "running"
    assert layout.find_job_state(tmp_path, JOB.steps)[0] == "unfinished"


def test_a_lease_of_another_machine_is_respected_until_it_is_old(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    locks.lock_path(tmp_path).touch()
    lease = locks.lease_path(tmp_path)
    lease.write_text("filelock/2\npid=1\nhost=elsewhere\nmode=lease\ntoken=a\nduration=60.0\nstart=1\n")
    assert locks.is_claimed(tmp_path)
    os.utime(lease, (time.time() - 120, time.time() - 120))
    assert not locks.is_claimed(tmp_path)
    lease.write_text(f"filelock/2\npid=1\nhost={os.uname().nodename}?pidns-1\nmode=lease\n")
    assert not locks.is_claimed(tmp_path)


def test_a_lease_of_this_machine_goes_with_the_kernels_lock(tmp_path: Path) -> None:
    """Its process may seem to live: a killed runner that nobody waits for, or another one that got its number."""
    lease = locks.lease_path(tmp_path)
    start = Path("/proc/self/stat").read_text(encoding="utf-8").split()[21]
    lease.write_text(f"filelock/2\npid={os.getpid()}\nhost={os.uname().nodename}\nmode=lease\ntoken=a\nstart={start}\n")
    with locks.claim(tmp_path, lambda: None, wait=0.5) as free:
        assert free


def test_only_one_of_two_claims_a_folder(tmp_path: Path) -> None:
    with locks.claim(tmp_path, lambda: None) as first, locks.claim(tmp_path, lambda: None, wait=0.1) as second:
        assert (first, second) == (True, False)
        assert locks.is_claimed(tmp_path)
    assert not locks.is_claimed(tmp_path)


def test_the_group_goes_with_the_command(tmp_path: Path) -> None:
    """A rank or a worker that outlives its job is ended with it."""
    code = (
        "import subprocess, sys, os\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        "print(child.pid, flush=True); os.kill(os.getpid(), 9)"
    )
    with (tmp_path / "out").open("wb") as output:
        ended = run_group([sys.executable, "-c", code], output.fileno())
    assert ended.code == 128 + signal.SIGKILL
    pid = int((tmp_path / "out").read_text())
    for _ in range(100):
        stat = Path(f"/proc/{pid}/stat")
        if not stat.is_file() or stat.read_text(encoding="utf-8").rpartition(")")[2].split()[0] == "Z":
            return
        time.sleep(0.05)
    raise AssertionError("the child lives")


def test_jobs_side_by_side_share_the_cores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from benchmarks.run.gpu_pool import Pool

    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    plan = store_plan(tmp_path, Plan(tuple(replace(JOB, seed=seed) for seed in range(2))))
    says = [sys.executable, "-c", "import os, sys; sys.exit('threads ' + os.environ.get('OMP_NUM_THREADS', 'free'))"]
    lines: list[str] = []
    assert run_plan(tmp_path, plan, lines.append, command=says, controls=None, pool=Pool([], 2)) == 2
    assert sum("threads 4" in line for line in lines) == 2
