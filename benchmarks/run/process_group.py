"""One step of a job: a command in its own process group, which ends with the runner."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

log = logging.getLogger(__name__)

GRACE = 20.0
"""Seconds between SIGTERM and SIGKILL."""

_ENVIRONMENT = {
    "PYTHONSAFEPATH": "1",
    "PYTHONUNBUFFERED": "1",
    "COLUMNS": "1000",  # an error stays on one line, which is stored as the reason
    "ZOO_YES": "1",  # the benchmark has asked before its first job
}

_LOOK = 0.1  # seconds between two checks for a stop


class Stop:
    """A request to end the steps of a runner, which all its threads see.

    Args:
        parent: A request of wider scope, which ends these steps too.
    """

    def __init__(self, parent: Stop | None = None) -> None:
        self._asked = threading.Event()
        self._parent = parent

    def ask(self) -> None:
        """End the running steps; no further step starts."""
        self._asked.set()

    @property
    def asked(self) -> bool:
        """Whether somebody has asked for the end."""
        return self._asked.is_set() or (self._parent is not None and self._parent.asked)


@dataclass(frozen=True, slots=True)
class Ended:
    """How a step ended.

    Attributes:
        code: Exit code, or 128 + n if signal n ended the step.
        timed_out: Whether the step exceeded its time limit.
    """

    code: int
    timed_out: bool = False


def run_group(
    command: Sequence[str],
    output: int,
    *,
    environment: Mapping[str, str] | None = None,
    timeout: float | None = None,
    stop: Stop | None = None,
    watch: Callable[[], None] = lambda: None,
) -> Ended:
    """Run a command in a new process group, with a guard that ends the group when this process ends.

    Lightning starts further ranks as children in the same group, and ends all of them when one dies. If Lightning
    itself is killed, the ranks end with the group.

    Args:
        command: The command line.
        output: File descriptor of the output.
        environment: Further environment variables.
        timeout: Time limit in seconds, None for no limit.
        stop: A request to end the command.
        watch: Called several times a second while the command runs.
    """
    guard = subprocess.Popen(  # noqa: S603 - our own command line
        [sys.executable, "-P", "-m", "benchmarks.run.process_guard", *command],
        stdin=subprocess.PIPE,
        stdout=output,
        stderr=subprocess.STDOUT,
        env=os.environ | _ENVIRONMENT | dict(environment or {}),
        start_new_session=True,
    )
    end = time.monotonic() + timeout if timeout is not None else None
    try:
        while True:
            try:
                return Ended(guard.wait(_LOOK))
            except subprocess.TimeoutExpired:
                watch()
                if stop is not None and stop.asked:
                    return Ended(128 + signal.SIGTERM)
                if end is not None and time.monotonic() > end:
                    return Ended(128 + signal.SIGTERM, timed_out=True)
    finally:
        _end_group(guard)


def _end_group(guard: subprocess.Popen[bytes]) -> None:
    """End the rest of a process group: by SIGTERM, and after `GRACE` by SIGKILL."""
    try:
        if guard.poll() is None:
            os.killpg(guard.pid, signal.SIGTERM)
            try:
                guard.wait(GRACE)
            except subprocess.TimeoutExpired:
                log.warning("The job did not end within %.0f s of SIGTERM and is killed.", GRACE)
        os.killpg(guard.pid, signal.SIGKILL)  # workers and ranks that are still alive after their parent
    except ProcessLookupError:
        log.debug("Nothing is left of process group %d.", guard.pid)
    guard.wait()
    if guard.stdin:
        guard.stdin.close()
