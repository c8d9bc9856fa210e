"""Run one job with any launcher: run its missing steps in order, under a claim, and keep its status.

A job is `zoo fit` and then `zoo test` with each text. Finished steps are not run again. A failed step stores its
reason. The launcher decides when a job runs and on which devices.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

from benchmarks.plan.job import Job, Plan
from benchmarks.run.epoch_lines import EpochLines
from benchmarks.run.failure_reasons import KILLED, add_advice, count_memory_kills, find_advice, find_reason
from benchmarks.run.job_status import Failure, Record
from benchmarks.run.process_group import Stop, run_group
from benchmarks.storage import layout
from benchmarks.storage.locks import claim
from benchmarks.storage.sealed_tests import find_damage, is_done_and_intact
from zoo.sizes import card_size
from zoo.utils.atomic_files import remove_unfinished

ZOO = (sys.executable, "-P", "-m", "zoo")
"""The command of a job. With `-P`, a folder of the user with the name of one of our packages does not hide it."""

CONTROLS = (sys.executable, "-P", "-m", "benchmarks.run.controls")
"""The command that computes the controls of a data set."""

USER_ERROR, NOT_APPLICABLE = 2, 3
"""Exit codes of `zoo` that a second attempt would not change."""

ProgressCallback = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Task:
    """The steps of one job, or the controls of one data set.

    Attributes:
        name: The job's id, or `controls of <data>`.
        target: The folder of the job.
        steps: Name and command line of each step, in order.
        job: The job, None for controls.
    """

    name: str
    target: Path
    steps: tuple[tuple[str, tuple[str, ...]], ...]
    job: Job | None = None

    @property
    def missing(self) -> list[str]:
        """Names of the steps that are not done, or whose result was damaged."""
        return [step for step, _ in self.steps if not is_done_and_intact(self.target, step)]


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of a job.

    Attributes:
        retries: Further attempts after a failure that a new attempt may avoid: a crash, a signal.
        timeout: Time limit of one attempt in seconds, None for no limit.
    """

    retries: int = 0
    timeout: float | None = None


NO_LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class ExecutionContext:
    """The machine and the environment of a job.

    Attributes:
        launcher: "local" or "slurm".
        environment: Further environment variables.
        facts: Facts for the status: devices, or the number of the SLURM job.
    """

    launcher: str = "local"
    environment: Mapping[str, str] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)


def list_tasks(
    folder: Path, plan: Plan, command: Sequence[str] = ZOO, controls: Sequence[str] | None = CONTROLS
) -> list[Task]:
    """List the tasks of a plan: the controls of each data set and fold, then the jobs.

    Args:
        folder: The benchmark's folder.
        plan: The jobs.
        command: The `zoo` command.
        controls: The command of the controls, None for no controls.
    """
    first: dict[tuple[str, int | None], Job] = {}
    for job in (job for job in plan.jobs if controls and not job.trial):  # controls read the test part
        first.setdefault((job.data, job.fold), job)
    tasks = [_controls_task(folder, job, controls or ()) for job in first.values()]
    for job in plan.jobs:
        run = layout.job_folder(folder, job.id)
        steps = tuple((step, (*command, *build_arguments(job, step, run))) for step in job.steps)
        tasks.append(Task(job.id, run, steps, job))
    return tasks


def build_arguments(job: Job, step: str, run: Path) -> list[str]:
    """Build the arguments of `zoo` for one step of a job."""
    verb, _, text = step.partition("-")
    return [verb, *job.flags(), "--out", str(run), *(["--data.text", text] if text else [])]


def _controls_task(folder: Path, job: Job, command: Sequence[str]) -> Task:
    """Make the task of the controls of one data set, with the configuration of its jobs."""
    target = layout.controls_folder(folder, job.data, job.fold)
    arguments = ["--data", job.data, "--size", card_size(job.settings.size), "--out", str(target)]
    arguments += [f"--data.root={job.root}"] if job.root else []
    arguments += [f"--{key}={value}" for key, value in job.argument_pairs() if key.startswith("data.")]
    name = target.name if job.fold is not None else job.data
    return Task(f"controls of {name}", target, (("controls", (*command, *arguments)),))


class Outcome(Enum):
    """The outcome of a task."""

    DONE = "done"
    FAILED = "failed"
    BUSY = "another runner works on it"
    STOPPED = "stopped"


def run_task(task: Task, say: ProgressCallback, context: ExecutionContext, limits: Limits, stop: Stop) -> Outcome:
    """Run the missing steps of a task.

    Args:
        task: The task.
        say: Called with one line of progress.
        context: Machine and environment.
        limits: Retries and time limit.
        stop: A request to end the task.
    """
    if not task.missing:
        say("done already")
        return Outcome.DONE
    task.target.mkdir(parents=True, exist_ok=True)
    lost = Stop(stop)
    with claim(task.target, lost.ask) as free:
        if not free:
            say(Outcome.BUSY.value)
            return Outcome.BUSY
        remove_unfinished(task.target)  # this process has the claim, so the writer of these files has ended
        recipe = "" if task.job is None else task.job.settings.recipe
        where = {"launcher": context.launcher, "place": dict(context.facts)}
        where |= {"tuned": {"trials": task.job.tuned, "search": task.job.search}} if task.job and task.job.tuned else {}
        record = Record(task.name, task.target, recipe, where)
        for left in range(limits.retries, -1, -1):
            failed = _attempt(task, record, say, context, limits, lost)
            if failed is None:
                return Outcome.STOPPED if lost.asked else Outcome.DONE
            if not (left and failed.may_pass):
                break
            say(f"tried again, {left} more time{'s' if left > 1 else ''}")
    return Outcome.FAILED


def _attempt(
    task: Task, record: Record, say: ProgressCallback, context: ExecutionContext, limits: Limits, stop: Stop
) -> Failure | None:
    """Run the missing steps once, in order, until the first failure."""
    end = None if limits.timeout is None else time.monotonic() + limits.timeout
    record.begin()
    for step, command in task.steps:
        if is_done_and_intact(task.target, step):
            continue
        damage = find_damage(task.target, step) if layout.is_step_done(task.target, step) else ""
        if damage and step == "fit":
            return _fail(task, record, say, step, Failure(damage, may_pass=False))  # a new test would not mend it
        say(f"{step} again: {damage}" if damage else step)
        record.step(step)
        layout.skipped_path(task.target, step).unlink(missing_ok=True)  # the test decides anew whether it applies
        started = time.monotonic()
        failure = _run_step(task.target, step, command, say, context, limits, end, stop)
        if stop.asked:
            return None  # no status is written, because another runner may own the folder now
        if failure is not None:
            return _fail(task, record, say, step, failure)
        seconds = time.monotonic() - started
        record.done(step, seconds)
        reason = layout.skipped_steps(task.target, [step]).get(step)
        say(f"{step} left out: {reason}" if reason else f"{step} done in {seconds:.0f} s")
    record.write(state="done", step="")
    return None


def _fail(task: Task, record: Record, say: ProgressCallback, step: str, failure: Failure) -> Failure:
    """Record and report the failure of a step."""
    record.failed(step, failure)
    say(f"{step} failed: {add_advice(failure.reason, failure.advice)} (see {task.target / 'log.txt'})")
    return failure


def _run_step(
    target: Path,
    step: str,
    command: Sequence[str],
    say: ProgressCallback,
    context: ExecutionContext,
    limits: Limits,
    end: float | None,
    stop: Stop,
) -> Failure | None:
    """Run one step in its own process group; return its failure, None without one."""
    path, kills = target / "log.txt", count_memory_kills()
    with path.open("ab") as output:
        output.write(f"\n$ {' '.join(command)}\n".encode())
        output.flush()
        begin = output.tell()
        epochs = EpochLines(path, begin, say)
        left = None if end is None else end - time.monotonic()
        ended = run_group(
            command, output.fileno(), environment=context.environment, timeout=left, stop=stop, watch=epochs.tell
        )
        epochs.tell()
    with path.open("rb") as written:
        written.seek(begin)
        text = written.read().decode("utf-8", "replace")
    if ended.timed_out:
        reason = f"not done within {limits.timeout:g} s (--timeout)"
        return Failure(reason, "The same command continues from the last checkpoint.", may_pass=False)
    if ended.code == NOT_APPLICABLE and step.startswith("test-"):
        layout.write_skipped(target, step, find_reason(text, ended.code))
        return None
    if ended.code:
        advice = find_advice(text, ended.code, count_memory_kills() > kills)
        out_of_memory = advice not in ("", KILLED)
        return Failure(find_reason(text, ended.code), advice, ended.code != USER_ERROR and not out_of_memory)
    if layout.is_step_done(target, step):
        return None
    return Failure(f"{step} ended without an error and without its result")
