"""SIGTERM ends a command within ten seconds with exit code 143, also in the middle of a long call of a library."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from zoo.utils.exit_codes import run_command
from zoo.utils.termination import EXIT_CODE, allow_termination, hold_termination

SCRIPT = """
import ctypes, signal, sys
import zoo.utils.termination as termination
from zoo.utils.exit_codes import run_command

def command():
    termination.set_patience({patience})
    termination.before_forced_end(lambda: open(sys.argv[1], "w").write("state"))
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])  # as if the signal did not end the call
    ctypes.CDLL(None).system(b"echo ready; exec sleep 15")  # one call, so that "ready" is printed within it

sys.exit(run_command(command))
"""


def send_here(number: int = signal.SIGTERM) -> None:
    os.kill(os.getpid(), number)
    time.sleep(0.2)  # Python handles the signal here


def test_sigterm_ends_a_command_with_143_and_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    reached: list[str] = []

    def command() -> None:
        try:
            send_here()
        finally:
            reached.append("cleaned up")
        reached.append("went on")

    assert run_command(command) == EXIT_CODE == 143
    assert reached == ["cleaned up"]
    assert capsys.readouterr().err == "zoo: terminated; the same command continues where it stopped\n"
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def test_what_is_held_is_not_cut_in_two() -> None:
    done: list[str] = []

    def command() -> None:
        hold_termination()
        send_here()
        done.append("whole")
        allow_termination()
        done.append("more")

    assert run_command(command) == 143
    assert done == ["whole"]


def test_ctrl_c_ends_with_130(capsys: pytest.CaptureFixture[str]) -> None:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        assert run_command(lambda: send_here(signal.SIGINT)) == 130
    finally:
        signal.signal(signal.SIGINT, before)
    assert "interrupted" in capsys.readouterr().err


def test_a_handler_of_a_caller_is_kept_and_a_thread_installs_none() -> None:
    seen: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _: seen.append(number))
    try:
        assert run_command(send_here) == 0
    finally:
        signal.signal(signal.SIGTERM, before)
    assert seen == [signal.SIGTERM]
    codes: list[int] = []
    thread = threading.Thread(target=lambda: codes.append(run_command(lambda: 5)))
    thread.start()
    thread.join()
    assert codes == [5]


@pytest.mark.parametrize("signals", [1, 2])
def test_a_long_call_of_a_library_is_left_after_the_patience_or_at_a_second_signal(
    signals: int, tmp_path: Path
) -> None:
    patience = 0.3 if signals == 1 else 60
    words = [sys.executable, "-c", SCRIPT.format(patience=patience), str(tmp_path / "state")]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        for _ in range(signals):
            process.send_signal(signal.SIGTERM)
            time.sleep(0.2)
        assert process.wait(20) == 143
    assert (tmp_path / "state").is_file() == (signals == 1), "a second signal waits for nothing"
