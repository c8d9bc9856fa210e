"""`zoo data split`: write the splits of a data set as a file."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from datamodules.cli.common import add_data_arguments, open_data, print_values
from zoo.errors import ConfigError

HELP = "write the splits of a data set, or all of its folds, as a JSON file for --data.split"


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    add_data_arguments(parser)
    parser.add_argument("--out", metavar="FILE.json", type=Path, required=True, help="the file")
    parser.add_argument(
        "--folds", metavar="K", type=int, help="all K folds by subject in place of the splits of the protocol"
    )


def run(arguments: argparse.Namespace, options: Mapping[str, Any]) -> int:
    """Run the command."""
    data = open_data(arguments, options)
    from datamodules.index.split_files import to_content, to_text
    from datamodules.index.splits import SPLITS
    from zoo.utils.atomic_files import write_text

    if arguments.folds is None:
        splits, protocol = [data.split], data.split.protocol
    elif data.fold is not None or data.split_options.file is not None:
        raise ConfigError("zoo data split: --folds beside --data.fold or --data.split.", "Leave one of them out.")
    else:
        cases = list(data.cases.values())
        splits = [data.index.split_of(cases, fold, arguments.folds) for fold in range(max(1, arguments.folds))]
        protocol = data.protocol
    source = f"zoo data split {data.name}: {data.card.protocols[data.protocol].about or data.protocol}"
    text = to_text(to_content(data.name, splits, protocol, source)) + "\n"
    write_text(arguments.out, text)
    sizes = ["/".join(str(len(split.ids_of(one))) for one in SPLITS) for split in splits]
    values = {"data": data.name, "protocol": protocol, "file": str(arguments.out), "train/val/test": ", ".join(sizes)}
    return print_values({**values, "hash": ", ".join(split.hash for split in splits)}, arguments.json)
