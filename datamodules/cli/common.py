"""What the commands of `zoo data` share: the arguments of a data set, progress bars and printed tables."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, track
from rich.table import Table

from datamodules.acquire.sources import find_folder
from datamodules.index.card import DataCard
from zoo.registry import DATA
from zoo.utils.flags import Parser
from zoo.utils.terminal import SafeConsole

if TYPE_CHECKING:
    from datamodules.acquire.fingerprint import ProgressCallback
    from datamodules.bases.base import SegDataModule

T = TypeVar("T")


def add_data_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that choose a data set."""
    if isinstance(parser, Parser):
        parser.sections = ("data.",)
    parser.add_argument("name", metavar="NAME", help="data set, see `zoo list data`")
    parser.add_argument("--root", metavar="DIR", help="folder of the data set (default: $ZOO_DATA/NAME)")
    parser.add_argument("--protocol", metavar="NAME", help="protocol (default: the first of the card)")
    parser.add_argument("--size", default="published", help="size of the card (default: published)")
    parser.add_argument("--json", action="store_true", help="machine-readable output")
    parser.epilog = "Further --data.KEY VALUE are options of the data set, as in `zoo fit`."


def open_data(arguments: argparse.Namespace, options: Mapping[str, Any]) -> SegDataModule:
    """Make the data module of the arguments. An unknown name and a missing folder are told before torch is loaded.

    Raises:
        UnknownNameError: There is no such data set.
        DataError: It has no folder.
    """
    card = DATA.get(arguments.name)
    given = {key: getattr(arguments, key) for key in ("root", "protocol") if getattr(arguments, key)}
    facts = DataCard.of(card)
    if card.origin == "zoo" and not facts.embedded:  # data sets of other packages may find their files themselves
        find_folder(facts, given.get("root") or options.get("root"))
    from datamodules.build import build_datamodule

    return build_datamodule(arguments.name, arguments.size, **{**options, **given})


def progress(things: Iterable[T]) -> Iterable[T]:
    """The same things, with a progress bar on a terminal."""
    errors = SafeConsole(stderr=True)
    return track(list(things), "Reading", console=errors, transient=True, disable=not errors.is_terminal)


@contextmanager
def bytes_bar() -> Iterator[ProgressCallback]:
    """A function that shows the progress of work on one file, as a bar on a terminal."""
    errors = SafeConsole(stderr=True)
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=errors, transient=True, disable=not errors.is_terminal) as bar:
        task = bar.add_task("", total=None, visible=False)
        yield lambda what, done, total: bar.update(task, description=what, completed=done, total=total, visible=True)


def console() -> SafeConsole:
    """A console that breaks no line in a file or pipe, so that file names stay complete."""
    plain = SafeConsole()
    return plain if plain.is_terminal else SafeConsole(width=1000)


def print_values(values: Mapping[str, Any], as_json: bool) -> int:
    """Print values as a table or as JSON and return exit code 0."""
    out = console()
    if as_json:
        out.print_json(data=dict(values))
        return 0
    table = Table(show_header=False)
    for key, value in values.items():
        lines = [f"{name}: {inner}" for name, inner in value.items()] if isinstance(value, dict) else [str(value)]
        lines = [", ".join(map(str, value))] if isinstance(value, list) else lines
        table.add_row(key, "\n".join(lines))
    out.print(table)
    return 0
