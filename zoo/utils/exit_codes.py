"""How a command ends: its exit code, and the one line that says why.

What the user can mend, by another argument or by making room, is told in a line. Anything else is a bug of ours and
keeps its traceback.
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

_ROOM = "Make room, then give the same command again."
_ELSEWHERE = "Name a place that you may use."
_MENDED = {
    errno.ENOSPC: _ROOM,
    errno.EDQUOT: _ROOM,
    errno.EACCES: _ELSEWHERE,
    errno.EPERM: _ELSEWHERE,
    errno.EROFS: _ELSEWHERE,
    errno.EISDIR: "Name a file.",
    errno.ENOTDIR: "Name a folder.",
}
"""What the system refuses and only the user can mend; any other `OSError` keeps its traceback."""


def run_command(command: Callable[[], int | None]) -> int:
    """Runs a command and says how it ended, as a shell expects it. Plug-ins may use it, too.

    Returns:
        What the command returns; an error's code, and its one line on standard error, where the user can mend it;
        130 after Ctrl-C; 141 where nobody reads the output any more (`zoo ... | head -1`).
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal that knows no ± ends no command
    try:
        code = command() or 0
        if sys.stdout is not None:
            sys.stdout.flush()  # here, where a full disk can be told
        return code
    except ZooError as error:
        return _told(to_one_line(error), error.code)
    except KeyboardInterrupt:
        sys.stderr.write("zoo: interrupted; the same command goes on where it stopped\n")
        return 130
    except SystemExit as error:
        if isinstance(error.__context__, BrokenPipeError):  # what rich makes of it
            return 141
        raise
    except OSError as error:
        if isinstance(error, BrokenPipeError) and _nobody_reads():
            _write_no_more()
            return 141
        if error.errno not in _MENDED:
            raise
        if error.filename is None:
            _write_no_more()
        where = "standard output or a file" if error.filename is None else os.fsdecode(error.filename)
        return _told(f"{where}: {error.strerror}. {_MENDED[error.errno]}", ZooError.code)


def _told(line: str, code: int) -> int:
    sys.stderr.write(f"zoo: error: {line}\n")
    return code


def _nobody_reads() -> bool:
    """Whether standard output is a pipe that was closed; a pipe between our own processes is another matter."""
    try:
        watched = select.poll()
        watched.register(sys.stdout.fileno(), 0)
        return bool(watched.poll(0))
    except (AttributeError, OSError, ValueError):  # a system without poll, or a stream without a file
        return False


def _write_no_more() -> None:
    """Standard output leads nowhere from here on, or Python would try, and complain, once more at its end."""
    with suppress(AttributeError, OSError, ValueError):  # no stream, or one without a file
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
