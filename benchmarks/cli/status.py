"""`zoo bench status`: one line a job, from another shell at any time."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks import store
from benchmarks.cli.common import nothing_further
from benchmarks.plan import Plan, load_plan


def add(verbs: Any) -> None:
    """The verb's parser."""
    status = verbs.add_parser("status", help="one line a job", allow_abbrev=False)
    status.add_argument("folder", type=Path)
    status.set_defaults(action=_status)


def _status(known: argparse.Namespace, further: Sequence[str]) -> int:
    nothing_further(further)
    for job_id, state, note in states(known.folder, load_plan(known.folder)):
        sys.stdout.write(f"{state:<11}{job_id}  {note}".rstrip() + "\n")
    return 0


def states(folder: Path, plan: Plan) -> list[tuple[str, str, str]]:
    """(id, state, note) of each job."""
    return [(job.id, *store.job_state(store.job_folder(folder, job.id), job.steps)) for job in plan.jobs]
