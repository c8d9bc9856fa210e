"""`zoo list`, `zoo show` and `zoo env`: prints what is installed, from the cards only. No torch here."""

from __future__ import annotations

import json
import platform
import sys
from collections.abc import Callable, Mapping
from importlib.metadata import PackageNotFoundError, version

import yaml
from rich.markup import escape
from rich.table import Table

from zoo import __version__, settings
from zoo.cards import CardSummary
from zoo.cli.console import print_table
from zoo.config import PRESETS
from zoo.errors import ConfigError, UnknownNameError, did_you_mean
from zoo.registry import CONFIGS, DATA, ENCODERS, MODELS, Card, Registry, read_yaml

KINDS = {"models": MODELS, "data": DATA, "encoders": ENCODERS, "trainers": PRESETS}
VERSIONS = ("torch", "lightning", "monai", "transformers", "open_clip_torch", "numpy", "jsonargparse")


def main(command: str, argv: list[str]) -> int:
    """Run one of the three commands and return the exit code."""
    commands: dict[str, Callable[[list[str]], None]] = {"list": list_cards, "show": show, "env": environment}
    commands[command](argv)
    return 0


def list_cards(argv: list[str]) -> None:
    """Run `zoo list models|data|encoders|trainers [--json]`; a broken card is listed with the reason."""
    as_json = "--json" in argv
    kinds = [word for word in argv if word != "--json"]
    if len(kinds) != 1 or kinds[0] not in KINDS:
        typed = " ".join(kinds) or "nothing"
        form = f"Write `zoo list {'|'.join(KINDS)} [--json]`."
        hint = did_you_mean(typed, KINDS, form, most=1, prefix="`zoo list ", suffix="`")
        raise ConfigError(f"`zoo list` takes one kind, not '{typed}'.", hint)
    cards, also = list(KINDS[kinds[0]]), KINDS[kinds[0]].aliases()
    if as_json:
        shown = [{**card.to_dict(), "aliases": _second_names(card, also)} for card in cards]
        sys.stdout.write(json.dumps(shown, indent=2, default=str) + "\n")
    else:
        print_table(_table(cards, also))


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
        title = f"[red]broken:[/red] {escape(card.broken)}" if card.broken else escape(f"{summary.title}{note}")
        table.add_row(card.name, summary.text, shown, title)
    return table


def show(argv: list[str]) -> None:
    """Run `zoo show NAME`: print the card as YAML; a name of two kinds has two cards."""
    if len(argv) != 1:
        raise ConfigError("`zoo show` takes one name.", "Write `zoo show NAME`, with a name of `zoo list models|data`.")
    name = argv[0]
    found = [(kind, registry.get(name)) for kind, registry in KINDS.items() if name in registry]
    if not found:
        raise UnknownNameError("name", name, _all_names(), "zoo list models|data|encoders")
    for kind, card in found:
        content = {"about": dict(card.about), "config": dict(card.config), "sizes": dict(card.sizes)}
        text = yaml.safe_dump({k: v for k, v in content.items() if v}, sort_keys=False, allow_unicode=True, width=110)
        title = name if card.name == name else f"{name}, another name of {card.name}"
        sys.stdout.write(f"# {title} ({kind}, from {card.origin})\n{_prompts(card)}{text}")


def _prompts(card: Card) -> str:
    """Return a line with the version of the prompts of a card; empty if the card has no bundled prompts."""
    path = CONFIGS / "prompts" / f"{CardSummary.of(card).prompts}.yaml"
    return f"# prompts {path.stem}, version {read_yaml(path).get('version')}\n" if path.is_file() else ""


def _all_names() -> list[str]:
    registries: list[Registry] = list(KINDS.values())
    return [name for registry in registries for name in registry.names()]


def environment(argv: list[str]) -> None:
    """Run `zoo env`: print what a bug report needs, one line per fact."""
    if argv:
        raise ConfigError(f"`zoo env` takes no arguments, not '{' '.join(argv)}'.")
    lines = {"zoo": __version__, "python": platform.python_version(), "platform": platform.platform()}
    lines |= {name: _version(name) for name in VERSIONS} | settings.describe()
    for key, value in lines.items():
        sys.stdout.write(f"{key:<16}{value}\n")


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "(not installed)"
