"""One step of a job: a command in a process group of its own that ends with its runner."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

log = logging.getLogger(__name__)

GRACE = 20.0
"""Seconds that a job may take to end after SIGTERM, before SIGKILL."""

_LOOK = 0.1  # seconds between two looks at whether it is to stop


class Stop:
    """What ends the steps of a runner: asked for once, seen by all.

    Args:
        whole: A wider one, which this one follows.
    """

    def __init__(self, whole: Stop | None = None) -> None:
        self._asked = threading.Event()
        self._whole = whole

    def ask(self) -> None:
        """Ends what runs; nothing more is begun."""
        self._asked.set()

    @property
    def asked(self) -> bool:
        """Whether it was asked for."""
        return self._asked.is_set() or (self._whole is not None and self._whole.asked)


@dataclass(frozen=True, slots=True)
class Ended:
    """How a step ended.

    Attributes:
        code: Its exit code, 128 + n where signal n ended it.
        timed_out: Whether it was ended because its time was up.
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
) -> Ended:
    """Runs a command in a new process group, with a guard that ends the group when this process ends.

    Lightning starts further ranks as children in the same group, and ends them all where one dies; what it cannot
    end (itself killed) goes with the group.

    Args:
        command: The command line.
        output: File descriptor of what it writes.
        environment: Further variables of its environment.
        timeout: Seconds after which it is ended, None for never.
        stop: Ends it when asked for.
    """
    guard = subprocess.Popen(  # noqa: S603 - our own command line
        [sys.executable, "-P", "-m", "benchmarks.run.process_guard", *command],
        stdin=subprocess.PIPE,
        stdout=output,
        stderr=subprocess.STDOUT,
        # one line an error, however long: what is kept as the reason is a line
        env=os.environ | {"PYTHONSAFEPATH": "1", "PYTHONUNBUFFERED": "1", "COLUMNS": "1000"} | dict(environment or {}),
        start_new_session=True,
    )
    end = time.monotonic() + timeout if timeout is not None else None
    try:
        while True:
            try:
                return Ended(guard.wait(_LOOK))
            except subprocess.TimeoutExpired:
                if stop is not None and stop.asked:
                    return Ended(128 + signal.SIGTERM)
                if end is not None and time.monotonic() > end:
                    return Ended(128 + signal.SIGTERM, timed_out=True)
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
