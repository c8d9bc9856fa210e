"""`zoo data show`: write a contact sheet."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from datamodules.cli.common import add_data_arguments, open_data, print_values, progress

HELP = "write a contact sheet: image, outline of the mask, text"


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    add_data_arguments(parser)
    parser.add_argument("--out", metavar="FILE", type=Path, help="the PNG (default: NAME.png)")
    parser.add_argument(
        "--cases", metavar="N", type=int, default=12, help="number of cases, evenly spread (default: 12)"
    )


def run(arguments: argparse.Namespace, options: Mapping[str, Any]) -> int:
    """Run the command."""
    data = open_data(arguments, options)
    from datamodules.analysis.contact_sheet import write_contact_sheet

    path = arguments.out or Path(f"{data.name}.png")
    shown = write_contact_sheet(data, path, arguments.cases, progress)
    return print_values({"data": data.name, "sheet": str(path), "cases": shown}, arguments.json)
