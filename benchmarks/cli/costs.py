"""`zoo bench costs`: measure the operations, time and memory of each model of a benchmark."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.cli.common import refuse_further
from zoo.utils.printing import write_error, write_output


def add(verbs: Any, about: str) -> None:
    """Add the parser of the verb."""
    costs = verbs.add_parser("costs", help=about)
    costs.add_argument("folder", type=Path)
    costs.add_argument("--repeats", type=int, default=5, help="number of timed steps and predictions per model (5)")
    costs.set_defaults(action=_costs)


def _costs(known: argparse.Namespace, further: Sequence[str]) -> int:
    refuse_further(further)
    from benchmarks.tables.costs import measure_costs, write_costs

    write_output(write_costs(measure_costs(known.folder, write_error, known.repeats), "md"))
    return 0
