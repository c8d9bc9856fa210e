"""The status of a job in its folder: attempts, steps, seconds, failures."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.run.progress import read_last_step
from benchmarks.storage import layout


@dataclass(frozen=True, slots=True)
class Failure:
    """The failure of a step.

    Attributes:
        reason: The reason, in one line.
        advice: The next step of the user, in one line; empty where the reason is enough.
        may_pass: Whether another attempt may succeed.
    """

    reason: str
    advice: str = ""
    may_pass: bool = True


class Record:
    """The status of a claimed task, written to its folder.

    Args:
        name: The job's id, or `controls of <data>`.
        run: The folder of the task.
        recipe: The recipe of the job; empty for controls.
        where: The launcher, the facts of the machine, and the tuned recipe of the job.
    """

    def __init__(self, name: str, run: Path, recipe: str, where: Mapping[str, Any]) -> None:
        self._run = run
        self._content = layout.read_status(run) | {"job": name, "recipe": recipe, "state": "unfinished"}
        self._content |= {"host": socket.gethostname(), "pid": os.getpid(), **where}

    def begin(self) -> None:
        """Record a new attempt."""
        self._content["attempt"] = int(self._content.get("attempt", 0)) + 1
        self.write(state="running", attempt_started=_now(), step="", reason="", advice="")

    def step(self, step: str) -> None:
        """Record the start of a step. A resumed training does not start at step 0."""
        _, steps = read_last_step(self._run)
        self.write(step=step, step_started=_now(), steps_before=steps or 0)

    def done(self, step: str, seconds: float) -> None:
        """Record that a step is done."""
        self.write(seconds=self._content.get("seconds", {}) | {step: round(seconds, 1)})

    def failed(self, step: str, failure: Failure) -> None:
        """Record that a step and its attempt have failed."""
        entry = {"attempt": self._content["attempt"], "step": step, "reason": failure.reason, "ended": _now()}
        failures = [*self._content.get("failures", []), entry]
        self.write(state="failed", step=step, reason=failure.reason, advice=failure.advice, failures=failures)

    def write(self, **changes: Any) -> None:
        """Write the status with some changes."""
        self._content |= changes | {"written": _now()}
        layout.write_status(self._run, self._content)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
