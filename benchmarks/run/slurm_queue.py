"""The SLURM state of submitted elements, and the requeue of an ended element under its number.

SLURM keeps an element for some time after its end (MinJobAge, by default five minutes). During this time
`scontrol requeue` restarts a cancelled or lost element with the same number, script and log. After this time the
element must be submitted again, which `benchmarks.run.slurm` does.
"""

from __future__ import annotations

import logging
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.plan.job import Plan
from benchmarks.run.job_runner import ProgressCallback, Task, list_tasks
from benchmarks.storage import layout
from benchmarks.storage.sealed_tests import check_job_state
from zoo.errors import RunError

log = logging.getLogger(__name__)

ENDING = 60.0
"""Seconds that a submission waits for elements that are ending. SLURM kills them after half of this time."""

_POLL = 2.0
_ENDED_BY_ITSELF = ("COMPLETED", "FAILED")
_LOST = ("NODE_FAIL", "BOOT_FAIL", "OUT_OF_MEMORY", "REVOKED")
_ENDED_BY_SLURM = ("CANCELLED", "TIMEOUT", "PREEMPTED", "DEADLINE", *_LOST)

Order = Mapping[str, Any]
"""The settings of a submission: options, commands, limits, environment."""


@dataclass(frozen=True, slots=True)
class Element:
    """An element of a job array.

    Attributes:
        number: The number in SLURM, `12_3`.
        state: The state in SLURM; empty for an element that SLURM no longer knows.
        order: The settings of its submission.
    """

    number: str
    state: str
    order: Order

    @property
    def queued(self) -> bool:
        """Whether the element waits, runs, or is about to run."""
        return bool(self.state) and self.state not in (*_ENDED_BY_ITSELF, *_ENDED_BY_SLURM)

    @property
    def ended_by_slurm(self) -> bool:
        """Whether the element was ended from outside, so that SLURM can requeue it."""
        return self.state in _ENDED_BY_SLURM

    def requeue(self) -> bool:
        """Requeue the element under its number; return whether it is in the queue."""
        done = _ask("scontrol", "requeue", self.number)
        if not done.returncode:
            return True
        now = replace(self, state=ask_state(self.number))  # SLURM requeues elements that never ran together
        if not now.queued:
            log.info("SLURM does not requeue %s: %s", self.number, " ".join(done.stderr.split()))
        return now.queued

    def describe(self) -> str:
        """Describe the state in one line, with the command that restarts the element."""
        if self.queued:
            return f"SLURM {self.number} {self.state.lower()}"
        if self.ended_by_slurm:
            back = f"the same `zoo bench run` or `scontrol requeue {self.number}` restarts it"
            return f"SLURM {self.number} {self.state.lower()}: {back}"
        ended = self.state.lower() or "no longer known"
        return f"SLURM {self.number} {ended}: the same `zoo bench run` submits it again"


def read_elements(folder: Path) -> dict[str, Element]:
    """Read the element of each submitted task, by the name of the task; empty without SLURM.

    Args:
        folder: The benchmark's folder.

    Raises:
        RunError: SLURM does not answer.
    """
    submitted = _submitted(folder)
    if not submitted:
        return {}
    try:
        done = _ask("squeue", "--noheader", "--array", "--states=all", "--me", "--format=%i %T %o")
    except FileNotFoundError:
        return {}
    if done.returncode:
        raise RunError(f"squeue does not answer: {' '.join(done.stderr.split())}.", "Try again when SLURM works.")
    states = dict(_states(done.stdout, str((folder / "slurm").resolve())))
    return {
        name: Element(entry["number"], states.get(entry["number"], ""), entry["order"])
        for name, entry in submitted.items()
    }


def wait_until_settled(folder: Path) -> dict[str, Element]:
    """Read the elements after SLURM has ended those that are ending, because their last state is known only then."""
    until = time.monotonic() + ENDING
    while True:
        found = read_elements(folder)
        if time.monotonic() > until or not any(element.state == "COMPLETING" for element in found.values()):
            return found
        time.sleep(_POLL)


def _states(listing: str, folder: str) -> list[tuple[str, str]]:
    """List (number, state) of the elements of a folder, because a new cluster starts its numbers at 1 again."""
    rows = (line.split(maxsplit=2) for line in listing.splitlines())
    return [(row[0], row[1]) for row in rows if len(row) == 3 and row[2].startswith(folder)]


def ask_state(number: str) -> str:
    """Ask SLURM for the state of an element; empty without an answer."""
    try:
        return _ask("squeue", "--noheader", f"--jobs={number}", "--format=%T").stdout.strip()
    except (FileNotFoundError, RunError):
        return ""


def record(folder: Path, numbers: Mapping[str, str], order: Order) -> None:
    """Store the numbers and the settings of a submission.

    Args:
        folder: The benchmark's folder.
        numbers: Name of each task -> its number.
        order: The settings of the submission.
    """
    entries = {name: {"number": number, "order": order} for name, number in numbers.items()}
    layout.write_json(_path(folder), _submitted(folder) | entries)


def _path(folder: Path) -> Path:
    return folder / "slurm" / "submitted.json"


def _submitted(folder: Path) -> dict[str, dict[str, Any]]:
    path = _path(folder)
    return layout.read_json(path) if path.is_file() else {}


def _ask(*command: str) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)  # noqa: S603
    except subprocess.TimeoutExpired as error:
        raise RunError(f"{command[0]} does not answer within a minute.", "Try again when SLURM works.") from error


def wait(
    folder: Path, plan: Plan, names: Sequence[str], say: ProgressCallback, look: Callable[[], None] = lambda: None
) -> None:
    """Wait until no task is in the queue. The queue continues if this process ends.

    An element that SLURM ended is reported and not restarted, because a user who cancels it wants it to stop.

    Args:
        folder: The benchmark's folder.
        plan: The jobs.
        names: Names of the tasks.
        say: Called with one line per change.
        look: Called at each check.
    """
    tasks = [task for task in list_tasks(folder, plan) if task.name in names]
    seen: dict[str, str] = {}
    while True:
        now = read_elements(folder)
        for task in tasks:
            state = _state(task, now.get(task.name))
            if seen.get(task.name) != state:
                say(f"{task.name}: {state}")
                seen[task.name] = state
        look()
        if not any(name in now and now[name].queued for name in names):
            return
        time.sleep(_POLL)


def _state(task: Task, element: Element | None) -> str:
    """Describe the state of a task: from SLURM while it is in the queue, else from its folder."""
    state, note = check_job_state(task.target, [step for step, _ in task.steps])
    if state == "done" or element is None or element.state == "RUNNING":
        return f"{state} {note}".rstrip()
    if state in ("failed", "damaged") and not element.queued:
        return f"{state} {note}"
    return element.describe()
