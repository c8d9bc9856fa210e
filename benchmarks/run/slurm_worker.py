"""The work of one element of a SLURM array: the missing steps of one task, until SLURM ends the element.

SLURM sends SIGUSR2 shortly before the end of the time (submitit then requeues the element), and SIGTERM when the
element is cancelled or pre-empted. Both end the steps, free the folder and lose the work since the last checkpoint.
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
"""Seconds that a terminated element waits for SLURM, which does not requeue an element that has ended."""

EARLY = 90.0
"""Seconds that the warning may come too early: SLURM is exact to a minute, and a slot starts before its program."""

LONGER = "Use a longer --slurm.time, or shorter epochs (--data.epoch_samples): each epoch ends with a checkpoint."

_POLL = 1.0


class _Slot:
    """One time slot on a node.

    Args:
        task: The task of the slot.
    """

    def __init__(self, task: Task) -> None:
        self._task, self._begun, self._first = task, time.monotonic(), _mark(task)

    def wasted(self, seconds: float) -> bool:
        """Whether the slot lasted longer than these seconds and gave neither a checkpoint nor a result."""
        return time.monotonic() - self._begun > seconds and _mark(self._task) == self._first

    def record_waste(self, minutes: int) -> None:
        """Write the failure to the status. Only the owner of the claim may do that."""
        reason = f"no checkpoint and no result within two slots of {minutes} min (--slurm.time)"
        failure = {"state": "failed", "step": self._task.missing[0], "reason": reason, "advice": LONGER}
        layout.write_status(self._task.target, layout.read_status(self._task.target) | failure)


def _mark(task: Task) -> tuple[object, ...]:
    """Return values that change with the progress of a task: missing steps and the time of the last checkpoint."""
    last = task.target / "checkpoints" / "last.ckpt"
    return (*task.missing, last.stat().st_mtime_ns if last.is_file() else None)


@dataclass
class SlurmWorker:
    """The work of one element: the missing steps of one task.

    Attributes:
        folder: The benchmark's folder, on a file system that the nodes share.
        name: Name of the task.
        command: The `zoo` command.
        controls: The command of the controls.
        limits: Retries and time limit.
        minutes: Length of a slot.
        delay: Seconds between the warning of SLURM and the end of the slot.
        wasted: Number of slots without progress, in a row.
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
        """Run the task and return its outcome, which submitit stores.

        Raises:
            SystemExit: The task is not done. SLURM then marks the element as failed and ends its other tasks.
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
        """Return the work that submitit submits again before the end of the slot: the same task.

        None after two slots without progress, because further slots would have none either. One slot may pass while
        the data is prepared.
        """
        import submitit

        over = self.minutes * 60 - self.delay - EARLY
        wasted = self.wasted + 1 if self._slot is not None and self._slot.wasted(over) else 0
        if self._slot is not None and wasted == 2:
            self._slot.record_waste(self.minutes)
            return None
        return submitit.helpers.DelayedSubmission(replace(self, wasted=wasted))


def _follow(task: Task, stop: Stop) -> Outcome:
    """Run the steps on the ranks after the first, without writing a status."""
    commands = dict(task.steps)
    for step in task.missing:
        ended = run_group(commands[step], sys.stderr.fileno(), environment=_build_context(2).environment, stop=stop)
        if stop.asked:
            return Outcome.STOPPED
        if ended.code and not (ended.code == NOT_APPLICABLE and step.startswith("test-")):
            log.info("rank %s of %s ended with %d", os.environ["SLURM_PROCID"], step, ended.code)
            until = time.monotonic() + GRACE
            while layout.is_locked(task.target) and time.monotonic() < until:
                time.sleep(_POLL)  # the first rank notices that this rank has ended, and writes the reason
            return Outcome.FAILED
    return Outcome.DONE


def _wait_for_slurm() -> None:
    """Wait until SLURM has ended this element.

    If the element ended first, SLURM would not requeue it after a pre-emption.
    """
    until = time.monotonic() + WAIT_FOR_KILL
    while time.monotonic() < until and ask_state(_number()) in ("RUNNING", ""):
        time.sleep(_POLL)


def _number() -> str:
    """Return the number of the element of this process."""
    array, element = os.environ.get("SLURM_ARRAY_JOB_ID"), os.environ.get("SLURM_ARRAY_TASK_ID")
    return f"{array}_{element}" if array else os.environ.get("SLURM_JOB_ID", "")


def _build_context(ranks: int) -> ExecutionContext:
    """Build the context. "interactive" tells Lightning that SLURM did not start the ranks of a single task."""
    environment = {"SLURM_JOB_NAME": "interactive"} if ranks == 1 else {}
    restarts = int(os.environ.get("SLURM_RESTART_COUNT", "0"))
    return ExecutionContext("slurm", environment, {"slurm_job": _number(), "slurm_restarts": restarts})
