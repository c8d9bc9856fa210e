"""Entry of the command line: finds the command, and ends a user's mistake with one line and exit code 2."""

from __future__ import annotations

import sys
from collections.abc import Callable

from zoo import __version__
from zoo.cli.help import COST, INFO, RUN, plugin_points, usage
from zoo.errors import RunError, did_you_mean
from zoo.utils.exit_codes import run_command


def main(argv: list[str] | None = None) -> int:
    """Run `zoo`.

    Args:
        argv: The words after the name of the program; None for those of the process.

    Returns:
        The exit code: 0; 2 for an error that the user can fix (one line on standard error); 130 after Ctrl-C.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    return run_command(lambda: _dispatch(arguments))


def _dispatch(arguments: list[str]) -> int:
    command, *rest = arguments or ["--help"]
    if command in ("--help", "-h", "help"):
        sys.stdout.write(usage())
        return 0
    if command in ("--version", "-V"):
        sys.stdout.write(f"zoo {__version__}\n")
        return 0
    if command in RUN:
        from zoo.cli import run

        return run.main(command, rest)
    if command in COST:
        from zoo.cli import profile

        return profile.main(rest)
    if command in INFO:
        from zoo.cli import info

        return info.main(command, rest)
    return _load_command(command)(rest) or 0


def _load_command(command: str) -> Callable[[list[str]], int | None]:
    """Load a command that a package declares in the entry point group `zoo.commands`."""
    points = plugin_points()
    if command not in points:
        known = [*RUN, *COST, *INFO, *points]
        hint = did_you_mean(command, known, f"Known: {', '.join(known)}.")
        raise RunError(f"Unknown command '{command}'.", f"{hint} Run `zoo --help`.")
    point = points[command]
    try:
        function: Callable[[list[str]], int | None] = point.load()
    except (ImportError, AttributeError) as error:
        raise RunError(f"The command '{command}' ({point.value}) is broken: {error}.", "Reinstall it.") from error
    return function
