"""Run a command as long as its runner lives: `python -m benchmarks.run.process_guard COMMAND...`.

The runner holds the other end of the guard's standard input and never writes to it. When the runner ends in any way
(also by SIGKILL), the pipe closes and the guard kills its process group. So no training continues in a folder that
another runner may use.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading


def main(command: list[str]) -> int:
    """Run the command and return its exit code, or 128 + n if signal n ended it."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)  # the command also gets the signal, and decides when it ends
    for number in (signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(number, signal.SIG_IGN)  # SLURM signals the whole job, but only the runner reacts
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL)  # noqa: S603 - the runner's own command
    threading.Thread(target=_end_with_the_runner, daemon=True).start()
    code = child.wait()
    return code if code >= 0 else 128 - code


def _end_with_the_runner() -> None:
    while os.read(0, 1):  # not sys.stdin, whose lock must not be held while the interpreter ends
        pass
    os.killpg(os.getpgrp(), signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
