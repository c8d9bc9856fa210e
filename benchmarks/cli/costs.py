"""`zoo bench costs`: measure what each model of a benchmark costs."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.cli.common import nothing_further


def add(verbs: Any) -> None:
    """The verb's parser."""
    costs = verbs.add_parser("costs", help="measure operations, time and memory of each model, one after the other")
    costs.add_argument("folder", type=Path)
    costs.add_argument("--repeats", type=int, default=5, help="timed steps and predictions of each (5)")
    costs.set_defaults(action=_costs)


def _costs(known: argparse.Namespace, further: Sequence[str]) -> int:
    nothing_further(further)
    from benchmarks.tables.costs import measure_costs, write_costs

    def say(line: str) -> None:
        sys.stderr.write(f"{line}\n")

    sys.stdout.write(write_costs(measure_costs(known.folder, say, known.repeats), "md"))
    return 0
