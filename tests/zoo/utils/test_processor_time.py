"""A part of a command that computes too long is ended."""

from __future__ import annotations

import signal
import threading
import time
from contextlib import suppress

import pytest

from zoo.utils.processor_time import OutOfTimeError, limit_processor_time


def compute(seconds: float) -> None:
    """Compute for some processor time, and drop every ordinary error."""
    end = time.process_time() + seconds
    while time.process_time() < end:
        with suppress(Exception):
            sum(range(1000))


def test_a_block_ends_when_its_time_is_used_and_nothing_of_the_limit_is_left() -> None:
    before = signal.getsignal(signal.SIGVTALRM)
    with pytest.raises(OutOfTimeError), limit_processor_time(0.05):
        compute(5)
    assert signal.getsignal(signal.SIGVTALRM) == before
    assert signal.getitimer(signal.ITIMER_VIRTUAL)[0] == 0
    with limit_processor_time(5):
        compute(0.05)
    compute(0.05)


def test_waiting_takes_no_time() -> None:
    with limit_processor_time(0.05):
        time.sleep(0.2)


def test_another_thread_has_no_limit() -> None:
    ended: list[bool] = []

    def work() -> None:
        with limit_processor_time(0.01):
            compute(0.05)
        ended.append(True)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert ended == [True]
