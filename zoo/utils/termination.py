"""SIGTERM, as `docker stop`, `timeout` and `scancel` send it: a command leaves within ten seconds, with exit code 143.

The signal raises `Terminated` in the main thread, at once or after the work that must not be cut in two. Python handles
a signal between two of its own instructions only. Where the main thread is within a long call of a library, for example
a backward pass, another thread ends the process. A second signal ends it at once.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

from zoo.errors import find_behind

EXIT_CODE = 128 + signal.SIGTERM

INTERRUPTED = "zoo: interrupted; the same command continues where it stopped"
TERMINATED = "zoo: terminated; the same command continues where it stopped"

PATIENCE = 5.0
"""Seconds for the main thread to leave by itself; saving a state may take the rest of the ten seconds."""


class Terminated(KeyboardInterrupt):
    """The process got SIGTERM. Code that lets Ctrl-C pass lets it pass too."""


class _State:
    """What the handler, the main thread and the watching thread share."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Begin a new command."""
        self.asked = False
        self.raised = False
        self.held = threading.RLock()
        self.holding = False
        self.patience = PATIENCE
        self.before_end: Callable[[], None] | None = None


_state = _State()


@contextmanager
def heed_sigterm() -> Iterator[None]:
    """Raise `Terminated` on SIGTERM within the block. In a thread, or where a handler exists, nothing changes."""
    free = signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    if threading.current_thread() is not threading.main_thread() or not free:
        yield
        return
    _state.reset()
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    before = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    watching = threading.Thread(target=_watch, args=(reading, _state), name="sigterm", daemon=True)
    watching.start()
    signal.signal(signal.SIGTERM, _handle)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.set_wakeup_fd(before)
        os.write(writing, b"\0")  # no number of a signal: the thread ends
        watching.join(1)
        for end in (reading, writing):
            os.close(end)


def hold_termination() -> None:
    """Let no SIGTERM cut what follows in two, until `allow_termination`."""
    if not _state.holding:
        _state.held.acquire()
        _state.holding = True


def allow_termination() -> None:
    """End what `hold_termination` began.

    Raises:
        Terminated: SIGTERM came meanwhile.
    """
    if _state.holding:
        _state.holding = False
        _state.held.release()
        if _state.asked:
            _raise_once()


@contextmanager
def termination_held() -> Iterator[None]:
    """Let no SIGTERM cut the block in two. A block within another one, and another thread, change nothing."""
    if _state.holding or threading.current_thread() is not threading.main_thread():
        yield
        return
    hold_termination()
    try:
        yield
    finally:
        allow_termination()


@contextmanager
def interrupt_kept() -> Iterator[None]:
    """Raise Ctrl-C as such where a library makes another error of it; torch does while it writes an archive."""
    try:
        yield
    except RuntimeError as error:
        interrupt = find_behind(error, KeyboardInterrupt)
        if interrupt is None:
            raise
        raise interrupt from None


def was_terminated() -> bool:
    """Return whether this process got SIGTERM."""
    return _state.asked


def before_forced_end(function: Callable[[], None] | None) -> None:
    """Set what the watching thread calls before it ends the process in the middle of a long call of a library."""
    _state.before_end = function


def set_patience(seconds: float) -> None:
    """Set the seconds after which the process is ended, for a command whose children need the time themselves."""
    _state.patience = seconds


def _handle(_number: int, _frame: FrameType | None) -> None:
    _state.asked = True
    if not _state.holding:
        _raise_once()


def _raise_once() -> None:
    """Raise, and not again while the first exception ends the command."""
    if not _state.raised:
        _state.raised = True
        raise Terminated


def _watch(reading: int, state: _State) -> None:
    """Wait for SIGTERM, then end the process: at the second one, or when the patience is over."""
    with suppress(OSError):
        while True:
            number = os.read(reading, 1)
            if not number or number == b"\0":
                return
            if number[0] == signal.SIGTERM:
                break
        state.asked = True
        _wait_for_second(reading, time.monotonic() + state.patience)
        if state.before_end is not None and state.held.acquire(timeout=2):
            with suppress(Exception):  # the process ends in any case, with the state that was saved before
                state.before_end()
        _leave_now()


def _wait_for_second(reading: int, until: float) -> None:
    """Return when the time is over; end the process at a second SIGTERM, and this thread when the command ends."""
    while (left := until - time.monotonic()) > 0:
        if select.select([reading], [], [], left)[0]:
            number = os.read(reading, 1)
            if not number or number == b"\0":
                raise OSError  # the command has ended by itself
            if number[0] == signal.SIGTERM:
                _leave_now()


def end_process(code: int) -> None:
    """End this process at once, after what was printed; for the main thread."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):  # a closed stream, or none
            stream.flush()
    os._exit(code)


def _leave_now() -> None:
    """End this process and the processes that it started, in the middle of what the main thread does."""
    for pid in _children():
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGTERM)
    with suppress(OSError):
        os.write(2, f"{TERMINATED}\n".encode())  # not `sys.stderr`, of which the main thread may hold the lock
    os._exit(EXIT_CODE)


def _children() -> list[int]:
    """List the processes that this process started; empty on a system without /proc."""
    found: list[int] = []
    for path in Path("/proc/self/task").glob("*/children"):
        with suppress(OSError):
            found += [int(word) for word in path.read_text(encoding="ascii").split()]
    return found
