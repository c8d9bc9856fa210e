"""`zoo data list`: every data set, how to get it and whether it is available. Loads no torch."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any

from rich.table import Table

from datamodules.acquire.sources import access_kind, load_source
from datamodules.cli.common import console
from datamodules.index.card import DataCard
from zoo.errors import ConfigError
from zoo.registry import DATA, Card
from zoo.settings import data_root

HELP = "list every data set: what it is, how to get it, whether it is in $ZOO_DATA"

_SHOWN = ("name", "title", "dims", "modality", "text", "classes", "got", "licence", "available")
_NARROW = ("name", "title", "got", "available")
_WIDE = 150
"""Width of a terminal, in characters, from which all columns are shown."""


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("--json", action="store_true", help="machine-readable output")


def run(arguments: argparse.Namespace, options: Mapping[str, Any]) -> int:
    """Run the command."""
    if options:
        raise ConfigError("`zoo data list` takes no --data options.", "Write `zoo data list [--json]`.")
    also = DATA.aliases()
    rows = [_row(card, [name for name, own in also.items() if own == card.name]) for card in DATA]
    out = console()
    if arguments.json:
        out.print_json(data=rows)
        return 0
    table = Table(box=None, pad_edge=False)
    shown = _SHOWN if out.width >= _WIDE else _NARROW
    for title in shown:
        table.add_column(title.replace("_", " "), no_wrap=title not in ("title", "licence"))
    for row in rows:
        table.add_row(*(_cell(row, key) for key in shown))
    out.print(table)
    return 0


def _row(card: Card, aliases: list[str]) -> dict[str, Any]:
    """The row of a card. If the card or its source cannot be read, the title says why."""
    row: dict[str, Any] = dict.fromkeys(_SHOWN, "") | {"name": card.name, "aliases": aliases}
    row |= {"dims": None, "classes": None, "available": False}
    try:
        if card.broken:
            raise ConfigError(card.broken)
        facts = DataCard.of(card)
        got, source = access_kind(facts), load_source(facts)
    except ConfigError as error:
        return row | {"title": f"broken: {error}"}
    base = data_root()
    return row | {
        "title": facts.title,
        "dims": facts.spatial_dims,
        "modality": facts.modality,
        "text": facts.track,
        "classes": len(facts.classes) or None,
        "got": got,
        "licence": source.licence if source else facts.licence,
        "available": facts.embedded or bool(base and (base / facts.folder_name).is_dir()),
    }


def _cell(row: Mapping[str, Any], key: str) -> str:
    """The text of a cell."""
    value = row[key]
    if key == "title" and row["aliases"]:
        value = f"{value} (also {', '.join(row['aliases'])})"
    if key == "dims" and value:
        value = f"{value}D"
    if isinstance(value, bool):
        value = "yes" if value else ""
    return "" if value is None else str(value)
