"""`zoo completion SHELL`: prints a script that completes commands, options and names in a shell.

The script is static, so that no TAB starts Python. It has the names that are installed when it is printed.
"""

from __future__ import annotations

import argparse
import sys
from contextlib import suppress
from importlib import import_module
from typing import Any

import shtab

from zoo.cli import info, share
from zoo.cli.commands import COST, INFO, RUN, SHARE, USE, plugin_points
from zoo.engine.options import Option, options_of
from zoo.registry import DATA, MODELS, TRAINERS, Registry
from zoo.utils.flags import Parser
from zoo.utils.foreign_names import FOREIGN_OPTIONS
from zoo.utils.plugins import import_object

SHELLS = ("bash", "zsh", "tcsh")

INSTALL = (
    "bash: zoo completion bash > ~/.local/share/bash-completion/completions/zoo; "
    "zsh: zoo completion zsh > a file `_zoo` in a folder of $fpath; "
    "tcsh: zoo completion tcsh > ~/.zoo.tcsh, and `source ~/.zoo.tcsh` in ~/.tcshrc"
)

_FILES = {"files": shtab.FILE, "ckpt": shtab.FILE, "out": shtab.DIRECTORY}
_CHOICES = {("list", "kind"): list(info.KINDS), ("show", "name"): info.all_names()}
_NAMES = {"model": MODELS, "data": DATA, "preset": TRAINERS}


def main(argv: list[str]) -> int:
    """Print the script of a shell and return the exit code."""
    parser = Parser(prog="zoo completion", description=INFO["completion"], epilog=INSTALL, allow_abbrev=False)
    add_arguments(parser)
    sys.stdout.write(shtab.complete(make_parser(), parser.parse_args(argv).shell))
    return 0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the argument of the command."""
    parser.add_argument("shell", choices=SHELLS, help="the shell")


def make_parser() -> argparse.ArgumentParser:
    """Return a parser of every command, which only describes them: the commands have parsers of their own."""
    parser = argparse.ArgumentParser("zoo")
    parser.add_argument("--version", action="store_true", help="print the version")
    commands = parser.add_subparsers()
    dotted = sorted(_dotted_options())
    for verb, text in (RUN | COST).items():
        command = commands.add_parser(verb, help=text)
        for option in options_of(verb):
            _add_option(command, option)
        for name in dotted:
            command.add_argument(name)
    for name, text in USE.items():
        import_module(f"zoo.cli.{name}").add_arguments(commands.add_parser(name, help=text))
    for name, text in SHARE.items():
        share.add_arguments(name, commands.add_parser(name, help=text))
    for name, text in INFO.items():
        command = commands.add_parser(name, help=text)
        if name == "completion":
            add_arguments(command)
            continue
        info.add_arguments(name, command)
        for action in command._actions:
            action.choices = _CHOICES.get((name, action.dest), action.choices)
    for name, point in plugin_points().items():
        own = []  # a command of another package may have no parser of argparse, or be broken
        with suppress(ImportError):
            own = [import_object(f"{point.value.partition(':')[0]}.make_parser")()]
        commands.add_parser(name, help=f"`zoo {name} --help`", parents=own, add_help=not own)
    return parser


def _add_option(parser: argparse.ArgumentParser, option: Option) -> None:
    if option.field == "help":  # argparse adds it
        return
    if not option.value:
        parser.add_argument(*option.spellings, action="store_true", help=option.text)
        return
    registry: Registry | None = _NAMES.get(option.field)
    choices = registry.names() if registry else option.choices
    added: Any = parser.add_argument(*option.spellings, choices=choices or None, help=option.text)
    if option.field in _FILES:
        added.complete = _FILES[option.field]


def _dotted_options() -> set[str]:
    """Return the dotted options that cards set, and those that have a name elsewhere. A list of all needs torch."""
    names = {option for option in FOREIGN_OPTIONS.values() if "." in option}
    for section, registry in (("model", MODELS), ("data", DATA)):
        for card in registry:
            for layer in (card.config, *card.sizes.values()):
                names |= {f"--{section}.{key}" for key in (layer.get(section) or {}).get("init_args") or {}}
    return names
