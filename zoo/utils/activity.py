"""What a command does now, and a line about it whenever nothing else was printed for some seconds.

Reading a large data set, a download or one case of 3D validation take minutes, in which a user cannot tell a slow
command from one that hangs.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sized
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")

log = logging.getLogger(__name__)

QUIET = 6.0
"""Seconds without a line, after which one is logged."""


class _Activity:
    """What the process does, and since when."""

    def __init__(self) -> None:
        self.describe: Callable[[], str] = str
        self.since = time.monotonic()


_now = _Activity()


def set_activity(text: str | Callable[[], str]) -> None:
    """Say what the process does from now on.

    Args:
        text: "preparing case 3 of 8", or a function that makes the text when a line is due. Empty: nothing to report.
    """
    _now.describe = (lambda: text) if isinstance(text, str) else text
    _now.since = time.monotonic()


def track(things: Iterable[T], what: str) -> Iterator[T]:
    """Yield the things, and say which of them is worked on.

    Args:
        things: The things; their number is said where it is known.
        what: What is done with each: "preparing case".

    Example:
        >>> list(track("ab", "reading letter"))
        ['a', 'b']
    """
    count = f" of {len(things)}" if isinstance(things, Sized) else ""
    for number, thing in enumerate(things, start=1):
        set_activity(f"{what} {number}{count}")
        yield thing


@contextmanager
def report_activity(quiet: float = QUIET, say: Callable[[str], None] = log.info) -> Iterator[None]:
    """Log the activity whenever no line was logged for some seconds. Only the first process of a run does so.

    Args:
        quiet: Seconds without a line.
        say: Logs one line.
    """
    if any(os.environ.get(name, "0") != "0" for name in ("LOCAL_RANK", "SLURM_PROCID")):
        yield
        return
    watch, over = _LastLine(), threading.Event()
    logging.getLogger().addHandler(watch)

    def look() -> None:
        while not over.wait(min(quiet / 6, 1.0)):
            now = time.monotonic()
            text = _now.describe() if now - watch.at >= quiet else ""
            if text:
                say(f"{text} ({now - _now.since:.0f} s)")
                watch.at = now

    looking = threading.Thread(target=look, name="activity", daemon=True)
    looking.start()
    try:
        yield
    finally:
        over.set()
        looking.join()
        logging.getLogger().removeHandler(watch)
        set_activity("")


class _LastLine(logging.Handler):
    """Remembers when the last line was logged."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.at = time.monotonic()

    def emit(self, record: logging.LogRecord) -> None:
        """Take the time."""
        self.at = time.monotonic()
