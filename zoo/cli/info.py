"""`zoo list`, `zoo show` and `zoo env`: prints what is installed, from the cards only. No torch here."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from collections.abc import Callable, Mapping
from typing import Any

import yaml
from rich.table import Table
from rich.text import Text

from zoo import __version__, settings
from zoo.cards import CardSummary
from zoo.cli.commands import INFO
from zoo.cli.console import print_table, print_text
from zoo.errors import ConfigError, UnknownNameError, did_you_mean
from zoo.registry import CONFIGS, DATA, ENCODERS, MODELS, TRAINERS, Card, Registry, read_yaml
from zoo.sizes import PLANNED_SIZES, SIZES
from zoo.utils.flags import Parser
from zoo.utils.format import format_bytes
from zoo.utils.printing import write_output
from zoo.utils.safe_text import to_printable

KINDS = {"models": MODELS, "data": DATA, "encoders": ENCODERS, "trainers": TRAINERS}
VERSIONS = ("torch", "lightning", "monai", "transformers", "open_clip_torch", "numpy", "jsonargparse")


def main(command: str, argv: list[str]) -> int:
    """Run one of the three commands and return the exit code."""
    commands: dict[str, Callable[[argparse.Namespace], None]] = {"list": list_cards, "show": show, "env": environment}
    parser = Parser(prog=f"zoo {command}", description=INFO[command], allow_abbrev=False)
    add_arguments(command, parser)
    known, further = parser.parse_known_args(argv)
    if further and not (command == "show" and known.data):
        parser.error(f"unrecognized arguments: {' '.join(further)}")
    known.further = further
    commands[command](known)
    return 0


def add_arguments(command: str, parser: argparse.ArgumentParser) -> None:
    """Add the arguments of one of the three commands."""
    if command == "list":
        parser.add_argument("kind", nargs="*", metavar="|".join(KINDS), help="what is listed (default: all of them)")
        parser.add_argument("--json", action="store_true", help="machine-readable output")
    elif command == "show":
        names = "name of `zoo list models`, `zoo list data`, `zoo list encoders` or `zoo list trainers`"
        parser.add_argument("name", nargs="*", metavar="NAME", help=names)
        parser.add_argument("--data", default="", metavar="NAME", help="what a training of the model on this set needs")
        parser.add_argument(
            "--size",
            default="",
            choices=("", *SIZES, *PLANNED_SIZES),
            metavar="SIZE",
            help="tiny, published or planned",
        )
        parser.add_argument("--trainer", default="", metavar="PRESET", help="trainer preset of the training")
        parser.add_argument("--probe", action="store_true", help="with --data: measure some steps: time and memory")


def list_cards(arguments: argparse.Namespace) -> None:
    """Run `zoo list [models|data|encoders|trainers] [--json]`; a broken card is listed with the reason."""
    kinds = arguments.kind or list(KINDS)
    if len(arguments.kind) > 1 or not set(kinds) <= KINDS.keys():
        typed = " ".join(kinds)
        form = f"Write `zoo list {'|'.join(KINDS)} [--json]`."
        hint = did_you_mean(typed, KINDS, form, most=1, prefix="`zoo list ", suffix="`")
        raise ConfigError(f"`zoo list` takes one kind, not '{typed}'.", hint)
    if arguments.json:
        shown = {kind: [_content(card, KINDS[kind].aliases()) for card in KINDS[kind]] for kind in kinds}
        sys.stdout.write(json.dumps(shown[kinds[0]] if arguments.kind else shown, indent=2, default=str) + "\n")
        return
    for kind in kinds:
        if not arguments.kind:
            print_text(f"zoo list {kind}")
        print_table(_table(list(KINDS[kind]), KINDS[kind].aliases()))
        if kind != kinds[-1]:
            print_text("")


def _content(card: Card, also: Mapping[str, str]) -> dict[str, Any]:
    return {**card.to_dict(), "aliases": _second_names(card, also)}


def _second_names(card: Card, also: Mapping[str, str]) -> list[str]:
    return [name for name, own in also.items() if own == card.name]


def _table(cards: list[Card], also: Mapping[str, str]) -> Table:
    table = Table(box=None, pad_edge=False)
    for title in ("name", "text", "dims", "what it is"):
        table.add_column(title, no_wrap=title == "name")
    for card in cards:
        summary = CardSummary.of(card)
        shown = "/".join(f"{n}D" for n in summary.spatial_dims)
        notes = [f"also {name}" for name in _second_names(card, also)]
        notes += [] if card.origin == "zoo" else [f"by {card.origin}"]
        note = f" ({', '.join(notes)})" if notes else ""
        broken = Text.assemble(("broken:", "red"), f" {to_printable(card.broken)}")
        table.add_row(card.name, summary.text, shown, broken if card.broken else f"{summary.title}{note}")
    return table


def show(arguments: argparse.Namespace) -> None:
    """Run `zoo show NAME`: print the card as YAML; a name of two kinds has two cards."""
    if len(arguments.name) != 1:
        raise ConfigError("`zoo show` takes one name.", "Write `zoo show NAME`, with a name of `zoo list`.")
    name = arguments.name[0]
    if arguments.data:
        from zoo.cli.needs import show_needs

        show_needs(name, arguments)
        return
    if arguments.probe or arguments.size or arguments.trainer:
        raise ConfigError("`zoo show` measures and sizes a training.", "Add --data NAME to the name of a model.")
    found = [(kind, registry.get(name)) for kind, registry in KINDS.items() if name in registry]
    if not found:
        raise UnknownNameError("name", name, all_names(), "zoo list models|data|encoders")
    for kind, card in found:
        content = {"about": dict(card.about), "config": dict(card.config), "sizes": dict(card.sizes)}
        text = yaml.safe_dump({k: v for k, v in content.items() if v}, sort_keys=False, allow_unicode=True, width=110)
        title = name if card.name == name else f"{name}, another name of {card.name}"
        write_output(f"# {title} ({kind}, from {card.origin})\n{_prompts(card)}{text}")


def _prompts(card: Card) -> str:
    """Return a line with the version of the prompts of a card; empty if the card has no bundled prompts."""
    path = CONFIGS / "prompts" / f"{CardSummary.of(card).prompts}.yaml"
    return f"# prompts {path.stem}, version {read_yaml(path).get('version')}\n" if path.is_file() else ""


def all_names() -> list[str]:
    """Return every name that `zoo show` takes."""
    registries: list[Registry] = list(KINDS.values())
    return [name for registry in registries for name in registry.names()]


def environment(arguments: argparse.Namespace) -> None:
    """Run `zoo env`: print what a bug report needs, one line per fact."""
    lines = {"zoo": __version__, "python": platform.python_version(), "platform": platform.platform()}
    lines |= {name: _version(name) for name in VERSIONS} | settings.describe() | _machine()
    for key, value in lines.items():
        write_output(f"{key:<21}{value}\n")


def _machine() -> dict[str, str]:
    """Return GPUs, cores, memory and extras as text."""
    from zoo.utils.machine import count_cores, list_extras, list_gpus, memory_bytes  # a listing needs none of them

    gpus = list_gpus()
    shown = {f"gpu {n}": f"{gpu.name}, {format_bytes(gpu.memory)}, driver {gpu.driver}" for n, gpu in enumerate(gpus)}
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    shown |= {} if visible is None else {"CUDA_VISIBLE_DEVICES": visible or "(none)"}
    extras = {name: f"{name} (missing: {', '.join(lacks)})" if lacks else name for name, lacks in list_extras().items()}
    return {
        **(shown if gpus else {"gpu": "(none)", **shown}),
        "cores": str(count_cores()),
        "memory": format_bytes(memory_bytes()),
        "extras": ", ".join(extras.values()) or "(not installed)",
    }


def _version(name: str) -> str:
    from importlib.metadata import PackageNotFoundError, version  # takes as long as a listing

    try:
        return version(name)
    except PackageNotFoundError:
        return "(not installed)"
