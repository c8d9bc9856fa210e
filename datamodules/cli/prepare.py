"""`zoo data prepare`: unpack or download a data set, check every case and write its arrays to the cache."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from datamodules.cli.common import add_data_arguments, bytes_bar, console, open_data, print_values, progress
from datamodules.index.card import DataCard
from zoo.errors import ConfigError, DataError
from zoo.registry import DATA
from zoo.utils.printing import write_output

HELP = "get the data set if needed, check every case and write its arrays to the cache"


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    add_data_arguments(parser)
    parser.add_argument(
        "--from",
        dest="given",
        metavar="PATH",
        type=Path,
        nargs="+",
        default=[],
        help="archives (and caption tables) to unpack, or the folder of the data set",
    )
    parser.add_argument(
        "--download", action="store_true", help="download the missing files that a command may download"
    )
    parser.add_argument(
        "--accept-unverified",
        action="store_true",
        help="download from a host although no checksum is known; the SHA-256 of what comes is stored and enforced",
    )
    parser.add_argument(
        "--cases", type=int, metavar="N", help="download N cases only, of a data set whose files can be got one by one"
    )
    parser.add_argument("--steps", action="store_true", help="print how to get the data set, and do nothing else")
    parser.add_argument(
        "--workers",
        type=int,
        default=1,
        metavar="N",
        help="cases that are prepared, and held in memory, at the same time (default: 1)",
    )


def run(arguments: argparse.Namespace, options: Mapping[str, Any]) -> int:
    """Run the command."""
    if arguments.workers < 1:
        raise ConfigError(f"--workers {arguments.workers} is too few.", "Give 1 or more.")
    if arguments.cases is not None and arguments.cases < 1:
        raise ConfigError(f"--cases {arguments.cases} is too few.", "Give 1 or more.")
    arguments.download |= arguments.accept_unverified or arguments.cases is not None  # both say what to download
    if arguments.steps:
        return _print_steps(arguments)
    arguments.root = arguments.root or options.get("root")
    unpacked = _get(arguments)
    data = open_data(arguments, options)
    from zoo.settings import cache_root

    split = data.split
    data.prepared_cases.make_all(arguments.workers, progress)
    where = "generated, nothing to store" if data.card.embedded else str(cache_root() / "data" / data.card.folder_name)
    values: dict[str, Any] = {"data": data.name, "protocol": split.protocol, "cases": len(data.cases), "cache": where}
    values |= {"split_hash": split.hash, "prompt_hash": data.prompt_hash}
    return print_values(values | unpacked, arguments.json)


def _get(arguments: argparse.Namespace) -> dict[str, Any]:
    """Get the folder of the data set, which `arguments.root` then names; return what was unpacked, if anything."""
    card, given = DataCard.of(DATA.get(arguments.name)), arguments.given
    if card.embedded:
        if given or arguments.download:
            raise ConfigError(f"'{card.name}' is generated.", f"Run `zoo data prepare {card.name}` alone.")
        return {}
    if any(path.is_dir() for path in given):
        return _use_folder(arguments)
    from datamodules.acquire.acquire import acquire_data_set, has_content, is_divisible, target_folder
    from datamodules.acquire.receipt import describe_files
    from datamodules.acquire.sources import format_steps, load_source
    from datamodules.files.case_choice import find_choice

    target = target_folder(card, arguments.root)
    choice = find_choice(card, arguments.protocol)
    whole = not (arguments.download and is_divisible(load_source(card), choice))
    if not given and target is not None and has_content(target) and whole and arguments.cases is None:
        return {}
    if given or arguments.download:
        with bytes_bar() as report:
            receipt = acquire_data_set(
                card,
                given,
                arguments.download,
                arguments.root,
                report,
                accept=arguments.accept_unverified,
                cases=arguments.cases,
                choice=choice,
            )
        return {"folder": str(target), "unpacked": describe_files(receipt)}
    where = f"{target}: '{card.name}' is missing." if target else f"'{card.name}' is missing, and ZOO_DATA is not set."
    raise DataError(where, f"{format_steps(card)} If it is elsewhere, give --from FOLDER.")


def _use_folder(arguments: argparse.Namespace) -> dict[str, Any]:
    """Use a folder of `--from` like that of `--root`."""
    if len(arguments.given) > 1 or arguments.download or arguments.root:
        raise ConfigError("--from FOLDER excludes other options.", "Give one folder, or archives, or --download.")
    arguments.root = str(arguments.given[0])
    return {}


def _print_steps(arguments: argparse.Namespace) -> int:
    from datamodules.acquire.sources import list_steps, load_source

    card = DataCard.of(DATA.get(arguments.name))
    steps, source = list_steps(card), load_source(card)
    described = (
        {} if source is None else {"licence": source.licence, "homepage": source.homepage, "layout": source.layout}
    )
    if arguments.json:
        console().print_json(data={"data": card.name, "steps": steps, **described})
        return 0
    for number, step in enumerate(steps, start=1):
        write_output(f"{number}. {step}\n")
    for key, value in described.items():
        write_output(f"{key}: {value}\n")
    return 0
