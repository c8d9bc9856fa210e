"""Entry of the command line: finds the command, and ends a user's mistake with one line and exit code 2."""

from __future__ import annotations

import codecs
import os
import sys
from collections.abc import Callable
from functools import partial
from importlib import import_module

from zoo import __version__
from zoo.cli.commands import COST, INFO, RUN, SHARE, USE, plugin_points
from zoo.errors import RunError, did_you_mean
from zoo.utils.exit_codes import run_command
from zoo.utils.foreign_names import FOREIGN_COMMANDS
from zoo.utils.plugins import import_object
from zoo.utils.termination import EXIT_CODE, end_process


def main(argv: list[str] | None = None) -> int:
    """Run `zoo`.

    Args:
        argv: The words after the name of the program; None for those of the process.

    Returns:
        The exit code: 0; 2 for an error that the user can fix (one line on standard error); 130 after Ctrl-C; 143
        after SIGTERM.
    """
    if argv is None:
        _require_utf8()
    arguments = list(sys.argv[1:] if argv is None else argv)
    code = run_command(lambda: _dispatch(arguments))
    if code == EXIT_CODE and argv is None:
        end_process(code)  # to free the memory of a training would take seconds more
    return code


def _require_utf8() -> None:
    """Start the process again in UTF-8 mode, if its locale has ASCII only and could name no file with an umlaut.

    Processes that it starts inherit the mode.
    """
    if codecs.lookup(sys.getfilesystemencoding()).name == "ascii" and os.environ.get("PYTHONUTF8") != "1":
        os.environ["PYTHONUTF8"] = "1"
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606 - the words of this process


def _dispatch(arguments: list[str]) -> int:
    command, *rest = arguments or ["--help"]
    if command in ("--help", "-h", "help"):
        from zoo.cli.help import print_usage

        print_usage()
        return 0
    if command in ("--version", "-V"):
        sys.stdout.write(f"zoo {__version__}\n")
        return 0
    return _load_command(command)(rest) or 0


def _load_command(command: str) -> Callable[[list[str]], int | None]:
    """Load the function of a command; only the commands that run a model load torch."""
    modules = {**dict.fromkeys(RUN, "evaluate"), **{name: name for name in USE}, **dict.fromkeys(COST, "profile")}
    modules |= {
        **dict.fromkeys(SHARE, "share"),
        **dict.fromkeys(INFO, "info"),
        "completion": "completion",
        "fit": "fit",
    }
    if command not in modules:
        return _load_plugin(command)
    function: Callable[..., int | None] = import_module(f"zoo.cli.{modules[command]}").main
    return partial(function, command) if modules[command] in ("evaluate", "info", "share") else function


def _load_plugin(command: str) -> Callable[[list[str]], int | None]:
    """Load a command that a package declares in the entry point group `zoo.commands`."""
    points = plugin_points()
    if command not in points:
        known = [*RUN, *USE, *SHARE, *COST, *INFO, *points]
        meant = FOREIGN_COMMANDS.get(command.lower())
        otherwise = f"Known: {', '.join(known)}."
        hint = f"Did you mean `zoo {meant}`?" if meant else did_you_mean(command, known, otherwise)
        raise RunError(f"Unknown command '{command}'.", f"{hint} Run `zoo --help`.")
    point = points[command]
    try:
        function: Callable[[list[str]], int | None] = import_object(
            point.value.partition("[")[0].strip().replace(":", ".")
        )
    except ImportError as error:
        raise RunError(f"The command '{command}' ({point.value}) is broken: {error}.", "Reinstall it.") from error
    return function
