"""What an element of a SLURM array does on its node: the missing steps of one task, until SLURM wants it to end.

SLURM tells by SIGUSR2 that the time is nearly up (submitit then requeues the element), and by SIGTERM that it was
cancelled or pre-empted. Either ends the steps, frees the folder and loses the work since the last checkpoint.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import FrameType
from typing import Any

from benchmarks.run.job_runner import NOT_APPLICABLE, ExecutionContext, Limits, Outcome, Task, list_tasks, run_task
from benchmarks.run.process_group import GRACE, Stop, run_group
from benchmarks.run.slurm_queue import ask_state
from benchmarks.storage import layout
from benchmarks.storage.stored_plan import load_plan

log = logging.getLogger(__name__)

WAIT_FOR_KILL = 600.0
"""Seconds for which a terminated element waits for what SLURM does next: one that ended would not be requeued."""

EARLY = 90.0
"""Seconds that SLURM's warning may come too early: it promises a minute, and a slot begins before its program does."""

LONGER = "Ask for a longer --slurm.time, or have shorter epochs (--data.epoch_samples): each ends with a checkpoint."

_POLL = 1.0


class _Slot:
    """A time on a node.

    Args:
        task: The task that is worked on.
    """

    def __init__(self, task: Task) -> None:
        self._task, self._begun, self._first = task, time.monotonic(), _mark(task)

    def wasted(self, seconds: float) -> bool:
        """Whether it is over, after so many seconds at least, and brought neither a checkpoint nor a result."""
        return time.monotonic() - self._begun > seconds and _mark(self._task) == self._first

    def record_waste(self, minutes: int) -> None:
        """Tells the status so; only who has claimed the folder may."""
        reason = f"no checkpoint and no result within two slots of {minutes} min (--slurm.time)"
        failure = {"state": "failed", "step": self._task.missing[0], "reason": reason, "advice": LONGER}
        layout.write_status(self._task.target, layout.read_status(self._task.target) | failure)


def _mark(task: Task) -> tuple[object, ...]:
    """What changes where a task gets on: its missing steps, the time of its last checkpoint."""
    last = task.target / "checkpoints" / "last.ckpt"
    return (*task.missing, last.stat().st_mtime_ns if last.is_file() else None)


@dataclass
class SlurmWorker:
    """What an element of the array does when SLURM runs it: what is missing of one task.

    Attributes:
        folder: The benchmark's folder, on a file system that the nodes share.
        name: The task's name.
        command: The `zoo` command.
        controls: The command of the controls.
        limits: Retries and time.
        minutes: Length of a slot.
        delay: Seconds before its end at which SLURM is asked to warn.
        wasted: Slots that went by for nothing, in a row.
    """

    folder: Path
    name: str
    command: Sequence[str]
    controls: Sequence[str] | None
    limits: Limits
    minutes: int
    delay: int
    wasted: int = 0
    _slot: _Slot | None = field(default=None, init=False)

    def __call__(self) -> str:
        """How it came out, which submitit keeps.

        Raises:
            SystemExit: It is not done; SLURM then counts the element as failed, and ends the other tasks of it.
        """
        logging.basicConfig(level=logging.INFO, format="%(message)s")
        tasks = list_tasks(self.folder, load_plan(self.folder), self.command, self.controls)
        task = next(task for task in tasks if task.name == self.name)
        self._slot, stop = _Slot(task), Stop()

        def terminated(_number: int, _frame: FrameType | None) -> None:
            stop.ask()

        signal.signal(signal.SIGTERM, terminated)
        ranks, rank = int(os.environ.get("SLURM_NTASKS", "1")), int(os.environ.get("SLURM_PROCID", "0"))
        if rank:
            outcome = _follow(task, stop)
        else:
            limits = self.limits if ranks == 1 else Limits(0, self.limits.timeout)
            outcome = run_task(task, log.info, _build_context(ranks), limits, stop)
        if outcome is Outcome.STOPPED:
            _wait_for_slurm()
        if outcome is not Outcome.DONE:
            sys.exit(f"{self.name}: {outcome.value}")
        return str(outcome.value)

    def checkpoint(self) -> Any:
        """What submitit submits again before the time is up: the same, which goes on from the last checkpoint.

        None where two slots went by for nothing (one may go by in preparing the data): so would all that follow.
        """
        import submitit

        over = self.minutes * 60 - self.delay - EARLY
        wasted = self.wasted + 1 if self._slot is not None and self._slot.wasted(over) else 0
        if self._slot is not None and wasted == 2:
            self._slot.record_waste(self.minutes)
            return None
        return submitit.helpers.DelayedSubmission(replace(self, wasted=wasted))


def _follow(task: Task, stop: Stop) -> Outcome:
    """What the ranks after the first do: the same steps, without a word to the status."""
    commands = dict(task.steps)
    for step in task.missing:
        ended = run_group(commands[step], sys.stderr.fileno(), environment=_build_context(2).environment, stop=stop)
        if stop.asked:
            return Outcome.STOPPED
        if ended.code and not (ended.code == NOT_APPLICABLE and step.startswith("test-")):
            log.info("rank %s of %s ended with %d", os.environ["SLURM_PROCID"], step, ended.code)
            until = time.monotonic() + GRACE
            while layout.is_locked(task.target) and time.monotonic() < until:
                time.sleep(_POLL)  # the first rank notices that this one is gone, and says why
            return Outcome.FAILED
    return Outcome.DONE


def _wait_for_slurm() -> None:
    """Waits until SLURM has decided what becomes of an element that it told to end.

    One that ended before would count as ended by itself, and what pre-empts it would not requeue it.
    """
    until = time.monotonic() + WAIT_FOR_KILL
    while time.monotonic() < until and ask_state(_number()) in ("RUNNING", ""):
        time.sleep(_POLL)


def _number() -> str:
    """The number of the element that this process is of."""
    array, element = os.environ.get("SLURM_ARRAY_JOB_ID"), os.environ.get("SLURM_ARRAY_TASK_ID")
    return f"{array}_{element}" if array else os.environ.get("SLURM_JOB_ID", "")


def _build_context(ranks: int) -> ExecutionContext:
    """Of one task Lightning must not think that SLURM started all ranks; "interactive" is its word for that."""
    environment = {"SLURM_JOB_NAME": "interactive"} if ranks == 1 else {}
    restarts = int(os.environ.get("SLURM_RESTART_COUNT", "0"))
    return ExecutionContext("slurm", environment, {"slurm_job": _number(), "slurm_restarts": restarts})
