"""`zoo data prepare|verify|stats|show NAME --root DIR [--json]`."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from rich.console import Console
from rich.progress import track
from rich.table import Table

from zoo.errors import ZooError
from zoo.registry import DATA

if TYPE_CHECKING:
    from datamodules.base import SegDataModule

T = TypeVar("T")

_HELP = {
    "prepare": "check every case and write its arrays to the cache",
    "verify": "read every file and list what is wrong with the set; exit code 2 if anything is",
    "stats": "cases and subjects, shapes, spacing, class shares, captions",
    "show": "write a contact sheet: image, outline of the mask, text",
}


def main(argv: list[str]) -> int:
    """Run one of the commands.

    Args:
        argv: What follows `zoo data`.

    Returns:
        0; 2 for an error of the user's or, in `verify`, for any finding.
    """
    arguments = _parser().parse_args(argv)
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    errors = Console(stderr=True)
    try:
        DATA.get(arguments.name)  # a mistyped name is told before torch is loaded
        from datamodules.build import build_data

        options = {key: getattr(arguments, key) for key in ("root", "protocol") if getattr(arguments, key)}
        data = build_data(arguments.name, arguments.size, **options)
        if arguments.command == "show":
            return _contact_sheet(data, arguments)
        return {"prepare": _prepare, "verify": _verify, "stats": _stats}[arguments.command](data, arguments.json)
    except ZooError as error:
        errors.print(str(error), style="red", markup=False, highlight=False, soft_wrap=True)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="zoo data", description="Prepare, verify and describe data sets.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="prepare|verify|stats|show")
    for name, text in _HELP.items():
        command = commands.add_parser(name, help=text, description=text)
        command.add_argument("name", metavar="NAME", help="data set, see `zoo list data`")
        command.add_argument("--root", metavar="DIR", help="folder of the set (default: $ZOO_DATA/NAME)")
        command.add_argument("--protocol", metavar="NAME", help="split (default: the card's first)")
        command.add_argument("--size", default="published", help="size preset of the card (default: published)")
        command.add_argument("--json", action="store_true", help="machine-readable output")
        if name == "show":
            command.add_argument("--out", metavar="FILE", type=Path, help="the PNG (default: NAME.png)")
            command.add_argument("--cases", metavar="N", type=int, default=12, help="how many, evenly spread (12)")
    return parser


def _progress(things: Iterable[T]) -> Iterable[T]:
    console = Console(stderr=True)
    return track(list(things), "Reading", console=console, transient=True, disable=not console.is_terminal)


def _console() -> Console:
    """A console that breaks no line of a file or pipe: names of files are to be found whole in it."""
    console = Console()
    return console if console.is_terminal else Console(width=1000)


def _prepare(data: SegDataModule, as_json: bool) -> int:
    from zoo.settings import cache_root

    split = data.split
    for case in _progress(data.cases.values()):
        data.prepared(case)
    where = "generated, nothing to store" if data.embedded else str(cache_root() / "data" / data.name)
    facts = {"data": data.name, "protocol": data.protocol, "cases": len(data.cases), "cache": where}
    facts |= {"split_hash": split.hash, "prompt_hash": data.prompt_hash}
    return _show(facts, as_json)


def _verify(data: SegDataModule, as_json: bool) -> int:
    from datamodules.verify import verify

    findings = verify(data, _progress)
    console = _console()
    if as_json:
        console.print_json(data={"data": data.name, "findings": [finding._asdict() for finding in findings]})
    elif findings:
        table = Table("case", title=f"{data.name}: {len(findings)} findings", title_justify="left")
        table.add_column("problem", overflow="fold")
        for finding in findings:
            table.add_row(finding.case_id or "-", finding.problem)
        console.print(table)
    else:
        console.print(f"{data.name}: nothing found.")
    return 2 if findings else 0


def _stats(data: SegDataModule, as_json: bool) -> int:
    from datamodules.stats import describe

    return _show(describe(data, _progress), as_json)


def _contact_sheet(data: SegDataModule, arguments: argparse.Namespace) -> int:
    from datamodules.show import contact_sheet

    path = arguments.out or Path(f"{data.name}.png")
    shown = contact_sheet(data, path, arguments.cases, _progress)
    return _show({"data": data.name, "sheet": str(path), "cases": shown}, arguments.json)


def _show(facts: dict[str, Any], as_json: bool) -> int:
    console = _console()
    if as_json:
        console.print_json(data=facts)
        return 0
    table = Table(show_header=False)
    for key, value in facts.items():
        lines = [f"{name}: {inner}" for name, inner in value.items()] if isinstance(value, dict) else [str(value)]
        table.add_row(key, "\n".join(lines))
    console.print(table)
    return 0
