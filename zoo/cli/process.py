"""The process of a command that needs torch: its log, its lines about the activity, and the imports."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import yaml

from zoo.cli.console import set_up_logging
from zoo.errors import RunError
from zoo.utils.activity import report_activity, set_activity
from zoo.utils.literal_text import escape_interpolation

if TYPE_CHECKING:
    from zoo.engine.lightning_cli import ZooCLI


@contextmanager
def prepared_process() -> Iterator[None]:
    """Log lines and the activity of the process, and protect new processes from a user's folder `zoo`.

    Ranks and workers are new processes; a folder `zoo` or `benchmarks` in the working directory must not hide our
    package there.

    Raises:
        RunError: The code of a user ended the program.
    """
    os.environ["PYTHONSAFEPATH"] = "1"
    set_up_logging()
    with report_activity():
        try:
            yield
        except SystemExit as error:
            if isinstance(error.__context__, BrokenPipeError):
                raise
            problem = f"The code of the model, the data or a callback ended the program (exit code {error.code})."
            raise RunError(problem, "Correct this code; the command is not done.") from error


def load_lightning() -> type[ZooCLI]:
    """Import Lightning's command line, which takes seconds, and return our class of it."""
    set_activity("loading PyTorch and Lightning")
    from zoo.engine.lightning_cli import ZooCLI

    set_up_logging()  # again, because the import of Lightning sets its own log levels
    return ZooCLI


def print_config(cli: ZooCLI) -> None:
    """Print the resolved configuration of a command as YAML."""
    sys.stdout.write(yaml.safe_dump(escape_interpolation(cli.resolved()), sort_keys=False, allow_unicode=True))
