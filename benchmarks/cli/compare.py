"""`zoo bench compare`: print published numbers beside our own numbers."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.cli.common import refuse_further
from zoo.utils.terminal import write_output


def add(verbs: Any) -> None:
    """Add the parser of the verb."""
    compare = verbs.add_parser("compare", help="published numbers beside ours, each in its convention")
    compare.add_argument("folder", type=Path)
    compare.add_argument("--format", choices=("md", "json"), default="md")
    compare.set_defaults(action=_compare)


def _compare(known: argparse.Namespace, further: Sequence[str]) -> int:
    refuse_further(further)
    from benchmarks.leaderboard.leaderboard import make_leaderboard
    from benchmarks.storage.results import read_benchmark
    from benchmarks.tables.published_comparison import compare_with_published, to_markdown

    found = compare_with_published(make_leaderboard(read_benchmark(known.folder)))
    write_output(json.dumps(found.to_dict(), indent=1) + "\n" if known.format == "json" else to_markdown(found))
    return 0
