"""The end of a command: its exit code, and one line with the reason.

An error that the user can fix, by another argument or by making room on a disk, is one line. Any other error is a bug
and keeps its traceback.
"""

from __future__ import annotations

import errno
import os
import select
import sys
from collections.abc import Callable
from contextlib import suppress
from io import TextIOWrapper

from zoo.errors import ZooError, to_one_line
from zoo.utils.safe_text import to_printable
from zoo.utils.termination import EXIT_CODE, INTERRUPTED, TERMINATED, Terminated, heed_sigterm

_ROOM = "Free some space, then run the same command again."
_ELSEWHERE = "Choose a folder that you may read and write."
_MORE_FILES = "Allow more open files with `ulimit -n 4096`, then run the same command again."
_FIXES = {
    errno.ENOSPC: _ROOM,
    errno.EDQUOT: _ROOM,
    errno.EACCES: _ELSEWHERE,
    errno.EPERM: _ELSEWHERE,
    errno.EROFS: _ELSEWHERE,
    errno.EISDIR: "Name a file.",
    errno.ENOTDIR: "Name a folder.",
    errno.EMFILE: _MORE_FILES,
    errno.ENFILE: _MORE_FILES,
}
"""Errors of the system that only the user can fix, and what to do; any other `OSError` keeps its traceback."""


def run_command(command: Callable[[], int | None]) -> int:
    """Run a command and return its exit code. Commands of other packages may use it too.

    Returns:
        The code that the command returns; the code of an error that the user can fix, with one line on standard
        error; 130 after Ctrl-C; 143 after SIGTERM; 141 if nobody reads the output any more (`zoo ... | head -1`).

    Example:
        >>> run_command(lambda: None)
        0
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal without the character ± must not end a command
    try:
        with heed_sigterm():
            code = command() or 0
        if sys.stdout is not None:
            sys.stdout.flush()  # here, where the error of a full disk can still be reported
        return code
    except ZooError as error:
        return _report(to_one_line(error), error.code)
    except KeyboardInterrupt as error:
        ended = isinstance(error, Terminated)
        sys.stderr.write(f"{TERMINATED if ended else INTERRUPTED}\n")
        return EXIT_CODE if ended else 130
    except SystemExit as error:
        closed = isinstance(error.__context__, BrokenPipeError)  # rich turns a broken pipe into SystemExit
        if not closed and error.code not in (None, 0):  # argparse ends with 0 after its help
            raise
        return 141 if closed else 0
    except OSError as error:
        if isinstance(error, BrokenPipeError) and _is_output_closed():
            _discard_output()
            return 141
        if error.errno not in _FIXES:
            raise
        if error.filename is None:
            _discard_output()
        where = "standard output or a file" if error.filename is None else os.fsdecode(error.filename)
        return _report(f"{where}: {error.strerror}. {_FIXES[error.errno]}", ZooError.code)


def _report(line: str, code: int) -> int:
    sys.stderr.write(f"zoo: error: {to_printable(line)}\n")
    return code


def _is_output_closed() -> bool:
    """Return whether standard output is a closed pipe, and not a pipe between our own processes."""
    try:
        watched = select.poll()
        watched.register(sys.stdout.fileno(), 0)
        return bool(watched.poll(0))
    except (AttributeError, OSError, ValueError):  # a system without poll, or a stream without a file
        return False


def _discard_output() -> None:
    """Discard what is still written to standard output; Python would otherwise fail again when it exits."""
    with suppress(AttributeError, OSError, ValueError):  # no stream, or one without a file
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
