"""A line says what a command does where it would be silent for some seconds."""

from __future__ import annotations

import logging
import threading
import time

import pytest

from zoo.utils.activity import report_activity, set_activity, track


def test_a_silent_command_says_what_it_does() -> None:
    said: list[str] = []
    heard = threading.Event()

    def say(line: str) -> None:
        said.append(line)
        heard.set()

    with report_activity(quiet=0.05, say=say):
        for _ in track(range(3), "preparing case"):
            assert heard.wait(5)
            heard.clear()
    assert {line.partition(" (")[0] for line in said} >= {"preparing case 1 of 3", "preparing case 3 of 3"}
    assert said[0].endswith("(0 s)")


def test_a_command_that_logs_lines_or_has_nothing_to_say_is_left_alone() -> None:
    said: list[str] = []
    with report_activity(quiet=0.3, say=said.append):
        set_activity("training")
        for _ in range(8):
            logging.getLogger("zoo").warning("a line")
            time.sleep(0.05)
        set_activity("")
        time.sleep(0.4)
    assert said == []


def test_only_the_first_process_of_a_run_speaks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCAL_RANK", "1")
    before = threading.active_count()
    with report_activity(quiet=0.05):
        assert threading.active_count() == before
