"""Processes that do not pay for imports: a server imports once and forks each of them.

The server itself computes nothing. A fork of a process that has computed gradients could not compute any.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Mapping
from multiprocessing import get_context, set_start_method
from pathlib import Path

from tests.helpers.line_probes import measure_process

WARM = get_context("forkserver")
WARM.set_forkserver_preload(
    [
        "tests.helpers.line_probes",  # first, because it measures the modules that are imported after it
        *("zoo.cli.fit", "zoo.engine.lightning_cli", "zoo.encoders.tiny", "zoo.models.bipvl.model"),
        *("zoo.callbacks.checkpoints", "zoo.callbacks.overlays", "zoo.callbacks.scores", "zoo.callbacks.predictions"),
    ]
)


class WarmCommand:
    """A `zoo` command in a process of its own.

    Args:
        words: The words after `zoo`.
        log: The file that gets both of its outputs.
        environment: Variables that are added to those of this process.
    """

    def __init__(self, words: list[str], log: Path, environment: Mapping[str, str]) -> None:
        self._process = WARM.Process(target=_run, args=(words, str(log), {**os.environ, **environment}))
        self._process.start()

    def interrupt(self) -> None:
        """Send what Ctrl-C sends."""
        assert self._process.pid is not None
        os.kill(self._process.pid, signal.SIGINT)

    def terminate(self) -> None:
        """Send what `docker stop`, `timeout` and `scancel` send."""
        assert self._process.pid is not None
        os.kill(self._process.pid, signal.SIGTERM)

    @property
    def running(self) -> bool:
        """Whether the command has not ended."""
        return self._process.is_alive()

    def wait(self, seconds: float = 300) -> int | None:
        """Return the exit code, or minus the number of the signal that ended the command."""
        self._process.join(seconds)
        return self._process.exitcode


def _run(words: list[str], log: str, environment: Mapping[str, str]) -> None:
    measure_process()
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for stream in (1, 2):
        os.dup2(output, stream)
    os.environ.clear()
    os.environ.update(environment)
    sys.path[:0] = environment.get("PYTHONPATH", "").split(os.pathsep)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    set_start_method(None, force=True)  # loader processes must be children of this process, or they outlive it
    from zoo.cli.main import main

    code = main(words)
    sys.stdout.flush()
    sys.stderr.flush()
    sys.exit(code)
