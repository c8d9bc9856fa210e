"""The help texts: of `zoo`, of each command of a run, and of the model and the data set that a command names."""

from __future__ import annotations

from collections.abc import Iterable
from shutil import get_terminal_size
from textwrap import wrap
from typing import TYPE_CHECKING, Any

from zoo import __version__
from zoo.cli.commands import COST, INFO, RUN, SHARE, USE, plugin_points
from zoo.engine.options import DOTTED, GROUPS, Option, options_of
from zoo.utils.printing import write_output

if TYPE_CHECKING:
    from zoo.engine.arguments import Request

_USAGE = {
    "fit": "zoo fit --model NAME --data NAME [options]",
    "validate": "zoo validate --out DIR [options]",
    "test": "zoo test --out DIR [options]",
    "predict": "zoo predict --out DIR [options]",
    "profile": "zoo profile --model NAME --data NAME [--repeats N] [--json] [options]",
}
_NOTES = {
    "fit": "The same command with the same --out continues an interrupted run.",
    "validate": "--out DIR of a run is enough; or repeat the options of its `zoo fit`.",
    "test": "--out DIR of a run is enough; or repeat the options of its `zoo fit`.",
    "predict": "--out DIR of a run is enough; or repeat the options of its `zoo fit`.",
    "profile": "--repeats N: number of measured steps (default: 5). --json: machine-readable output.",
}

_WIDTH = 110
_NAMES = 28
"""The widths of a help text, and of its column of names."""


def print_usage() -> None:
    """Print the help of `zoo`: the commands, and the options of `zoo fit`."""
    write_output(f"zoo {__version__}: compare text-guided medical image segmentation models\n\n")
    commands = RUN | USE | SHARE | COST | INFO | {name: f"`zoo {name} --help`" for name in plugin_points()}
    _print_rows("Commands", commands.items())
    _print_options("fit")
    write_output("Each command has its own help: `zoo fit --help`, `zoo data --help`, `zoo list --help`.\n")


def print_help(request: Request) -> None:
    """Print the help of a command of a run.

    Without `--model` and `--data`, and without `--help all`, no torch is loaded.

    Args:
        request: The command. The arguments of the model and of the data set that it names are printed too, with the
            values that they have under the cards, the size and the trainer preset of the command.

    Raises:
        ConfigError: A name is unknown, or a class cannot be imported.
    """
    verb = request.verb
    about = (RUN | COST)[verb]
    write_output(f"usage: {_USAGE[verb]}\n\n{about[0].upper()}{about[1:]}. {_NOTES[verb]}\n\n")
    _print_options(verb)
    for title, rows in _sections(request):
        _print_rows(title, rows)


def _print_options(verb: str) -> None:
    options = options_of(verb)
    for group in GROUPS:
        rows = [(_form(option), option.text) for option in options if option.group == group]
        if rows:
            _print_rows(group, [*rows, *(DOTTED.items() if group == "Configuration" else ())])


def _form(option: Option) -> str:
    """Return an option with its value: `-c FILE, --config FILE` without the second value."""
    spelled = ", ".join(sorted(option.spellings, key=len)) if option.name in ("-c", "--help") else option.name
    return f"{spelled} {option.value}".strip()


def _sections(request: Request) -> Iterable[tuple[str, list[tuple[str, str]]]]:
    """Yield the title and the rows of each class that the help is asked for."""
    named = [section for section in ("model", "data") if getattr(request, section) or request.files]
    wanted = [*named, *(["trainer"] if request.help == "all" else [])]
    if not wanted:
        return
    from zoo.config import compose

    composed = compose(request.model, request.data, size=request.size, preset=request.preset, files=request.files)
    from lightning.pytorch import Trainer

    from zoo.engine.class_help import describe_arguments
    from zoo.engine.lightning_cli import import_class

    for section in wanted:
        path = (composed.config.get(section) or {}).get("class_path")
        if section == "trainer":
            kind: type = Trainer
            title = "Lightning's Trainer"
        elif path:
            kind = import_class(section, path)
            title = f"{'Model' if section == 'model' else 'Data set'} {getattr(composed, section)} ({composed.size})"
        else:
            continue
        arguments = describe_arguments(section, kind, composed.config)
        yield title, [(f"{one.option} {one.kind}", f"{one.text} ({_shown(one.value)})".strip()) for one in arguments]


def _shown(value: Any) -> str:
    return "default: none" if value is None else f"default: {value}"


def _print_rows(title: str, rows: Iterable[tuple[str, str]]) -> None:
    """Print a title, and names and texts in two columns; a long name stands on a line of its own."""
    width = min(get_terminal_size((_WIDTH, 0)).columns, _WIDTH)
    lines = [title]
    for name, text in rows:
        first, *more = wrap(text, max(width - _NAMES, 30)) or [""]
        beside = f"  {name:<{_NAMES - 2}}"
        above = [] if len(beside) == _NAMES and name else [beside]
        lines += [*above, f"{'' if above else beside:<{_NAMES}}{first}", *(f"{'':<{_NAMES}}{line}" for line in more)]
    write_output("".join(f"{line.rstrip()}\n" for line in [*lines, ""]))
