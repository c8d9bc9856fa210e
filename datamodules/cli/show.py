"""`zoo data show`: a contact sheet."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from datamodules.cli.common import add_set, open_set, print_facts, progress

HELP = "write a contact sheet: image, outline of the mask, text"


def add(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    add_set(parser)
    parser.add_argument("--out", metavar="FILE", type=Path, help="the PNG (default: NAME.png)")
    parser.add_argument("--cases", metavar="N", type=int, default=12, help="how many, evenly spread (12)")


def run(arguments: argparse.Namespace, options: Mapping[str, Any]) -> int:
    """Run the command."""
    data = open_set(arguments, options)
    from datamodules.analysis.contact_sheet import write_contact_sheet

    path = arguments.out or Path(f"{data.name}.png")
    shown = write_contact_sheet(data, path, arguments.cases, progress)
    return print_facts({"data": data.name, "sheet": str(path), "cases": shown}, arguments.json)
