"""Functions that several verbs of `zoo bench` use."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from zoo.errors import ConfigError
from zoo.utils.printing import write_error

if TYPE_CHECKING:
    from benchmarks.storage.results import Benchmark


def add_folders(parser: argparse.ArgumentParser) -> None:
    """Add the folders that a verb reads."""
    parser.add_argument(
        "folders",
        nargs="+",
        type=Path,
        metavar="DIR",
        help="folder of `zoo bench run`, run folders of `zoo fit`, or folders that contain them",
    )


def read_results(folders: Sequence[Path]) -> Benchmark:
    """Read folders as one benchmark, and say on standard error what is left out."""
    from benchmarks.storage.joined import read_folders

    found = read_folders(folders)
    for note in found.notes:
        write_error(note)
    return found


def find_place(folders: Sequence[Path], name: str) -> Path:
    """Return where a file about folders is written: in the folder, or beside several folders."""
    from benchmarks.storage.joined import expand_paths

    found = expand_paths(folders)
    beside = found[0] if len(found) == 1 else Path(os.path.commonpath([folder.absolute() for folder in found]))
    return beside / name


def refuse_further(further: Sequence[str]) -> None:
    """Refuse arguments that a verb does not have.

    Raises:
        ConfigError: There is such an argument.
    """
    if further:
        word = further[0]
        hint = "See `zoo bench --help`." if word.startswith("-") else "Write a path with blanks in quotes."
        raise ConfigError(f"zoo bench: unknown argument '{word}'.", hint)
