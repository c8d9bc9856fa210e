"""Entry of `zoo data COMMAND`: finds the command and turns mistakes of the user into one line and exit code 2.

A command is a module with `HELP`, `add(parser)` and `run(arguments, options)`, where `options` are those of
`--data.KEY VALUE`. The functions import what needs torch, so that the help does not load it.
"""

from __future__ import annotations

import argparse
import logging
from importlib import import_module

from zoo.utils.exit_codes import run_command
from zoo.utils.flags import Parser, parse_options

COMMANDS = ("list", "prepare", "verify", "stats", "show", "split")
"""The commands, in the order of the help."""


def main(argv: list[str]) -> int:
    """Run one of the commands.

    Args:
        argv: The words after `zoo data`.

    Returns:
        0; 2 after a mistake of the user and, in `verify`, for any finding; 130 after Ctrl-C.
    """
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    return run_command(lambda: _dispatch(argv))


def _dispatch(argv: list[str]) -> int:
    arguments, further = make_parser().parse_known_args(argv)
    return int(arguments.run(arguments, parse_options(further, "data", f"zoo data {arguments.command}")))


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of all commands; `zoo completion` reads it too."""
    parser = Parser(prog="zoo data", description="Get, prepare, verify and describe data sets.", allow_abbrev=False)
    commands = parser.add_subparsers(dest="command", required=True, metavar="|".join(COMMANDS))
    for name in COMMANDS:
        module = import_module(f"datamodules.cli.{name}")
        command = commands.add_parser(name, help=module.HELP, description=module.HELP, allow_abbrev=False)
        module.add(command)
        command.set_defaults(run=module.run)
    return parser
