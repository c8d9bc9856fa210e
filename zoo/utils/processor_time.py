"""A limit of processor time for a part of a command."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class OutOfTimeError(BaseException):
    """A part of a command has used its processor time. No `except Exception` of a library on the way keeps it."""


@contextmanager
def limit_processor_time(seconds: float) -> Iterator[None]:
    """End the block with an error when this process has computed for some seconds in it.

    There is no limit outside of the main thread, and on systems without such a timer.

    Args:
        seconds: Seconds of processor time, so that a busy machine changes nothing.

    Raises:
        OutOfTimeError: The time is used.

    Example:
        >>> with limit_processor_time(60):
        ...     sum(range(10))
        45
    """
    if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "setitimer"):
        yield
        return
    before = signal.signal(signal.SIGVTALRM, _end)
    # again each second: a library that drops the error must not go on without a limit
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds, 1.0)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def _end(number: int, frame: FrameType | None) -> None:
    raise OutOfTimeError
