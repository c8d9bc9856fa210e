"""The end of a command whose output has a closed pipe, a full disk or a missing character."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from zoo.utils.exit_codes import run_command

LONG = "import sys\nfrom zoo.utils.exit_codes import run_command\n"


@pytest.mark.parametrize(
    "command",
    [
        "lambda: [sys.stdout.write('line\\n' * 9) for _ in range(99999)] and 0",
        "lambda: sys.stdout.write('one line\\n') and 0",  # found out when it is flushed
        "lambda: __import__('rich.console').console.Console().print('x ' * 99999)",
    ],
)
def test_a_closed_pipe_ends_without_output_and_with_code_141(command: str) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    code = f"{LONG}sys.exit(run_command({command}))"
    done = subprocess.run([sys.executable, "-c", code], stdout=writer, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, "")


def test_a_broken_pipe_between_our_own_processes_is_not_closed_output() -> None:
    def broken() -> None:
        raise BrokenPipeError(errno.EPIPE, "Broken pipe")

    with pytest.raises(BrokenPipeError):
        run_command(broken)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_a_full_disk_ends_with_one_line() -> None:
    with open("/dev/full", "w", encoding="utf-8") as full:  # noqa: PTH123 - a device
        code = f"{LONG}sys.exit(run_command(lambda: sys.stdout.write('text') and 0))"
        done = subprocess.run([sys.executable, "-c", code], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == (
        "zoo: error: standard output or a file: No space left on device. "
        "Free some space, then run the same command again.\n"
    )


def test_an_error_of_the_system_has_the_name_of_the_file(capsys: pytest.CaptureFixture[str]) -> None:
    def refused() -> None:
        raise PermissionError(errno.EACCES, "Permission denied", "results/x.json")

    assert run_command(refused) == 2
    assert capsys.readouterr().err == (
        "zoo: error: results/x.json: Permission denied. Choose a folder that you may read and write.\n"
    )


def test_other_errors_of_the_system_keep_their_traceback() -> None:
    with pytest.raises(FileNotFoundError):
        run_command(lambda: int(Path("no such file").read_text(encoding="utf-8")))


def test_a_terminal_without_a_character_ends_no_command() -> None:
    code = f"{LONG}sys.exit(run_command(lambda: sys.stdout.write('0.9 \\u00b1 0.1') and 0))"
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "0.9 \\xb1 0.1")
