"""Runs a plan: each job a process group of its own, resumed where it stopped, locked against other runners.

A job is `zoo fit` and then `zoo test` with the true text and, for models that read text, with shuffled
and with blank text. What is done is not run again; what failed leaves its reason and stops nothing.
"""

from __future__ import annotations

import logging
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import FrameType

from filelock import FileLock, Timeout

from benchmarks import store
from benchmarks.plan import Job, Plan

log = logging.getLogger(__name__)

ZOO = (sys.executable, "-P", "-m", "zoo")
"""The command of a job. `-P`: a folder of the user's with our packages' names must not shadow them."""

CONTROLS = (sys.executable, "-P", "-m", "benchmarks.controls")
"""The command that computes the controls of a data set."""

GRACE = 20.0
"""Seconds that a job may take to end after SIGTERM, before SIGKILL."""

Say = Callable[[str], None]


def run_plan(
    folder: Path,
    plan: Plan,
    say: Say,
    *,
    command: Sequence[str] = ZOO,
    controls: Sequence[str] | None = CONTROLS,
) -> int:
    """Runs what is not done yet and returns how many jobs failed.

    Args:
        folder: The benchmark's folder.
        plan: The jobs to run.
        say: Takes one line of progress.
        command: The `zoo` command.
        controls: The command of the controls, None to leave them out.
    """
    failed = 0
    with _terminate_on_sigterm():
        for name in dict.fromkeys(job.data for job in plan.jobs) if controls else ():
            failed += not _run_controls(folder, next(job for job in plan.jobs if job.data == name), say, controls or ())
        for number, job in enumerate(plan.jobs, start=1):
            prefix = f"[{number}/{len(plan.jobs)}] {job.id}"
            run = store.job_folder(folder, job.id)
            steps = [(step, [*command, *step_arguments(job, step, run)]) for step in job.steps]
            failed += not _run_steps(run, steps, partial(_say_after, say, prefix))
    return failed


def step_arguments(job: Job, step: str, run: Path) -> list[str]:
    """The arguments of `zoo` for one step of a job."""
    verb, _, text = step.partition("-")
    return [verb, *job.flags(), "--out", str(run), *(["--data.text", text] if text else [])]


def _say_after(say: Say, prefix: str, line: str) -> None:
    say(f"{prefix}: {line}")


def _run_controls(folder: Path, job: Job, say: Say, command: Sequence[str]) -> bool:
    """The controls of one data set, computed with the configuration of its jobs."""
    target = store.controls_folder(folder, job.data)
    arguments = ["--data", job.data, "--size", job.settings.size, "--out", str(target)]
    arguments += [f"--data.root={job.root}"] if job.root else []
    arguments += [f"--{key}={value}" for key, value in job.settings.overrides if key.startswith("data.")]
    steps = [("controls", [*command, *arguments])]
    return _run_steps(target, steps, partial(_say_after, say, f"controls of {job.data}"))


def _done(target: Path, step: str) -> bool:
    return (target / "controls.json").is_file() if step == "controls" else store.step_done(target, step)


def _run_steps(target: Path, steps: Sequence[tuple[str, Sequence[str]]], say: Say) -> bool:
    """Runs the steps that are not done, under the folder's lock; False where one failed."""
    if all(_done(target, step) for step, _ in steps):
        say("done already")
        return True
    target.mkdir(parents=True, exist_ok=True)
    lock = FileLock(store.lock_path(target))
    try:
        held = lock.acquire(timeout=1)  # `status` holds it for an instant to look
    except Timeout:
        say("another runner is at it")
        return True
    with held:
        (target / "failed.json").unlink(missing_ok=True)
        for step, command in steps:
            if _done(target, step):
                continue
            say(step)
            started = time.monotonic()
            reason = _run_step(target, step, command)
            if reason:
                store.write_json(target / "failed.json", {"step": step, "reason": reason})
                say(f"{step} failed: {reason} (see {target / 'log.txt'})")
                return False
            say(f"{step} done in {time.monotonic() - started:.0f} s")
    return True


def _run_step(target: Path, step: str, command: Sequence[str]) -> str:
    """Runs one step as a process group of its own; returns why it failed, or nothing."""
    path = target / "log.txt"
    with path.open("ab") as output:
        output.write(f"\n$ {' '.join(command)}\n".encode())
        output.flush()
        begin = output.tell()
        code = _run_group(command, output.fileno())
    if code:
        with path.open("rb") as written:
            written.seek(begin)
            return reason_from(written.read().decode("utf-8", "replace"), code)
    return "" if _done(target, step) else f"{step} ended without an error and without its result"


def _run_group(command: Sequence[str], output: int) -> int:
    """The exit code of a command that runs in a new process group and ends with this process."""
    # one line an error, however long: what is kept as the reason is a line
    environment = os.environ | {"PYTHONSAFEPATH": "1", "PYTHONUNBUFFERED": "1", "COLUMNS": "1000"}
    guard = subprocess.Popen(  # noqa: S603 - our own command line
        [sys.executable, "-P", "-m", "benchmarks.guard", *command],
        stdin=subprocess.PIPE,
        stdout=output,
        stderr=subprocess.STDOUT,
        env=environment,
        start_new_session=True,
    )
    try:
        return guard.wait()
    finally:
        _end_group(guard)


def _end_group(guard: subprocess.Popen[bytes]) -> None:
    """Ends what is left of a job's process group: by SIGTERM, and after a grace by SIGKILL."""
    try:
        if guard.poll() is None:
            os.killpg(guard.pid, signal.SIGTERM)
            try:
                guard.wait(GRACE)
            except subprocess.TimeoutExpired:
                log.warning("The job did not end within %.0f s of SIGTERM and is killed.", GRACE)
        os.killpg(guard.pid, signal.SIGKILL)  # workers and ranks that outlived their parent
    except ProcessLookupError:
        log.debug("Nothing is left of process group %d.", guard.pid)
    guard.wait()
    if guard.stdin:
        guard.stdin.close()


def reason_from(output: str, code: int) -> str:
    """Why a step failed, in one line: the error's own line, else the last one that it wrote.

    Args:
        output: What the step wrote.
        code: Its exit code; 128 + n or -n where signal n ended it.
    """
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    if code < 0 or code > 128:
        return f"ended by {_signal_name(code - 128 if code > 0 else -code)}"
    errors = [line for line in lines if re.match(r"(?i)error\b|([a-z_]\w*\.)*[A-Z]\w*(Error|Exception|Exit)\b", line)]
    return (errors or lines or [f"exit code {code} without a word"])[-1]


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


@contextmanager
def _terminate_on_sigterm() -> Iterator[None]:
    """SIGTERM unwinds the stack, so that the running group is ended as by Ctrl-C."""

    def stop(number: int, _frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    previous = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)
