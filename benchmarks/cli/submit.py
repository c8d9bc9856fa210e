"""`zoo bench submit`: write the rows of a benchmark as entries of a leaderboard that others can join."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.cli.common import add_folders, read_results, refuse_further
from zoo.utils.flags import split_names
from zoo.utils.printing import write_output


def add(verbs: Any, about: str) -> None:
    """Add the parser of the verb."""
    submit = verbs.add_parser("submit", help=about, allow_abbrev=False)
    add_folders(submit)
    submit.add_argument(
        "--to", type=Path, default=Path("leaderboard"), metavar="DIR", help="the leaderboard (default: leaderboard)"
    )
    submit.add_argument("--name", default="", help="name of the entry (default: that of the method)")
    submit.add_argument("--images-at", default="", metavar="URL", help="where the label images lie, instead of a copy")
    submit.add_argument(
        "--permit",
        type=split_names,
        default=[],
        metavar="KIND,...",
        help="you state that the terms of the data allow it, where its card does not know: images, rows",
    )
    submit.set_defaults(action=_submit)


def _submit(known: argparse.Namespace, further: Sequence[str]) -> int:
    refuse_further(further)
    from benchmarks.submissions.writing import EntryOptions, write_entries

    options = EntryOptions(known.name, known.images_at, known.permit)
    written, notes = write_entries(read_results(known.folders), known.to, options)
    for folder in written:
        write_output(f"{folder}\n")
    for note in notes:
        write_output(f"{note}\n")
    return 0
