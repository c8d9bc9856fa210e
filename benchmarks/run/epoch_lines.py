"""The lines of finished epochs, read from the log of a job while the job writes it."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

_EPOCH = re.compile(r"epoch \d+/\S+  .*\d s\b.*")
"""The line of a finished epoch (`zoo.callbacks.progress`): it has the seconds that the epoch took."""


class EpochLines:
    """Tells each line of a finished epoch once.

    Args:
        log: The log of the job.
        begin: The position in the log where the step begins.
        say: Called with each line.
    """

    def __init__(self, log: Path, begin: int, say: Callable[[str], None]) -> None:
        self._log, self._position, self._say = log, begin, say

    def tell(self) -> None:
        """Tell the epochs that the job has written since the last call; an incomplete line waits."""
        if self._log.stat().st_size <= self._position:
            return
        with self._log.open("rb") as log:
            log.seek(self._position)
            text = log.read()
        complete = text[: text.rfind(b"\n") + 1]
        self._position += len(complete)
        for line in complete.decode("utf-8", "replace").splitlines():
            if _EPOCH.fullmatch(line) and "train/loss" in line:
                self._say(line)
