"""`zoo bench compare`: print published numbers beside our own numbers."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from typing import Any

from benchmarks.cli.common import add_folders, read_results, refuse_further
from zoo.utils.printing import write_output


def add(verbs: Any, about: str) -> None:
    """Add the parser of the verb."""
    compare = verbs.add_parser("compare", help=about)
    add_folders(compare)
    compare.add_argument("--format", choices=("md", "json"), default="md")
    compare.set_defaults(action=_compare)


def _compare(known: argparse.Namespace, further: Sequence[str]) -> int:
    refuse_further(further)
    from benchmarks.leaderboard.leaderboard import make_leaderboard
    from benchmarks.tables.published_comparison import compare_with_published, to_markdown

    found = compare_with_published(make_leaderboard(read_results(known.folders), None))
    write_output(json.dumps(found.to_dict(), indent=1) + "\n" if known.format == "json" else to_markdown(found))
    return 0
