"""`zoo bench table`: the leaderboard on standard output."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.cli.common import nothing_further


def add(verbs: Any) -> None:
    """The verb's parser."""
    table = verbs.add_parser("table", help="write the leaderboard to standard output", allow_abbrev=False)
    table.add_argument("folder", type=Path)
    table.add_argument("--format", choices=("md", "csv", "latex", "json"), default="md")
    table.set_defaults(action=_table)


def _table(known: argparse.Namespace, further: Sequence[str]) -> int:
    nothing_further(further)
    from benchmarks.formats import FORMATS
    from benchmarks.table import read_table

    sys.stdout.write(FORMATS[known.format](read_table(known.folder)))
    return 0
