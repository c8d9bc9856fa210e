"""What SLURM says of the elements that it was given, and how one that it ended comes back under its number.

SLURM remembers an element for a while after its end (MinJobAge, five minutes unless the site sets it otherwise).
As long as it does, `scontrol requeue` brings back what it cancelled or lost: the same number, script and log, one
restart more. After that the only way back is to submit anew, which `benchmarks.run.slurm` does.
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
from zoo.errors import RunError

log = logging.getLogger(__name__)

ENDING = 60.0
"""Seconds for which a submission waits for elements that are being ended; SLURM kills them after half of it."""

_POLL = 2.0
_ENDED_BY_ITSELF = ("COMPLETED", "FAILED")
_LOST = ("NODE_FAIL", "BOOT_FAIL", "OUT_OF_MEMORY", "REVOKED")
_ENDED_BY_SLURM = ("CANCELLED", "TIMEOUT", "PREEMPTED", "DEADLINE", *_LOST)

Order = Mapping[str, Any]
"""What a task was submitted with: options, commands, limits, settings."""


@dataclass(frozen=True, slots=True)
class Element:
    """An element of an array as SLURM has it.

    Attributes:
        number: Its number, `12_3`.
        state: SLURM's word; empty where SLURM has forgotten it.
        order: What it was submitted with.
    """

    number: str
    state: str
    order: Order

    @property
    def queued(self) -> bool:
        """Whether it waits, runs, or is about to."""
        return bool(self.state) and self.state not in (*_ENDED_BY_ITSELF, *_ENDED_BY_SLURM)

    @property
    def ended_by_slurm(self) -> bool:
        """Whether it was ended from outside, and SLURM can bring it back."""
        return self.state in _ENDED_BY_SLURM

    def requeue(self) -> bool:
        """Puts it into the queue again, under its number; whether it is there."""
        done = _ask("scontrol", "requeue", self.number)
        if not done.returncode:
            return True
        now = replace(self, state=ask_state(self.number))  # elements that never ran come back together
        if not now.queued:
            log.info("SLURM does not requeue %s: %s", self.number, " ".join(done.stderr.split()))
        return now.queued

    def describe(self) -> str:
        """Where it stands in a line, and what brings it back."""
        if self.queued:
            return f"SLURM {self.number} {self.state.lower()}"
        if self.ended_by_slurm:
            back = f"the same `zoo bench run` or `scontrol requeue {self.number}` brings it back"
            return f"SLURM {self.number} {self.state.lower()}: {back}"
        ended = self.state.lower() or "no longer known"
        return f"SLURM {self.number} {ended}: the same `zoo bench run` submits it anew"


def read_elements(folder: Path) -> dict[str, Element]:
    """Name of each task that was submitted to what became of it; empty where there is no SLURM.

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
        raise RunError(f"squeue does not answer: {' '.join(done.stderr.split())}.", "Try again when SLURM does.")
    states = dict(_states(done.stdout, str((folder / "slurm").resolve())))
    return {
        name: Element(entry["number"], states.get(entry["number"], ""), entry["order"])
        for name, entry in submitted.items()
    }


def wait_until_settled(folder: Path) -> dict[str, Element]:
    """The same, once SLURM is through with ending what it ends: only then it says what has become of it."""
    until = time.monotonic() + ENDING
    while True:
        found = read_elements(folder)
        if time.monotonic() > until or not any(element.state == "COMPLETING" for element in found.values()):
            return found
        time.sleep(_POLL)


def _states(listing: str, home: str) -> list[tuple[str, str]]:
    """(number, state) of what was submitted from a folder; a cluster that was set up anew counts from 1 again."""
    rows = (line.split(maxsplit=2) for line in listing.splitlines())
    return [(row[0], row[1]) for row in rows if len(row) == 3 and row[2].startswith(home)]


def ask_state(number: str) -> str:
    """SLURM's word for the state of an element; empty where there is no answer."""
    try:
        return _ask("squeue", "--noheader", f"--jobs={number}", "--format=%T").stdout.strip()
    except (FileNotFoundError, RunError):
        return ""


def record(folder: Path, numbers: Mapping[str, str], order: Order) -> None:
    """Keeps what was submitted.

    Args:
        folder: The benchmark's folder.
        numbers: Name of each task to its number.
        order: What all of them were submitted with.
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
        raise RunError(f"{command[0]} does not answer within a minute.", "Try again when SLURM does.") from error


def wait(
    folder: Path, plan: Plan, names: Sequence[str], say: ProgressCallback, look: Callable[[], None] = lambda: None
) -> None:
    """Waits until none of the tasks is in the queue; the queue goes on without who waits.

    What SLURM ended is named and left as it is: who cancels an element wants it to stop.

    Args:
        folder: The benchmark's folder.
        plan: The jobs.
        names: Names of the tasks.
        say: Takes one line for each change.
        look: Called at each look.
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
    """Where a task stands: in the queue as SLURM says, else as its folder does."""
    state, note = layout.find_job_state(task.target, [step for step, _ in task.steps])
    if state == "done" or element is None or element.state == "RUNNING":
        return f"{state} {note}".rstrip()
    if state == "failed" and not element.queued:
        return f"{state} {note}"
    return element.describe()
