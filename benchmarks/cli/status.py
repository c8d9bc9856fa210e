"""`zoo bench status`: print one line per job. It can run at any time in another shell."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.cli.common import refuse_further
from benchmarks.run.progress import (
    Progress,
    count_states,
    estimate_time_to_go,
    format_time_to_go,
    list_damaged_controls,
    read_progress,
)
from benchmarks.storage.stored_plan import load_plan
from zoo.utils.printing import write_output


def add(verbs: Any, about: str) -> None:
    """Add the parser of the verb."""
    status = verbs.add_parser("status", help=about, allow_abbrev=False)
    status.add_argument("folder", type=Path)
    status.add_argument("--json", action="store_true", help="the same facts as JSON")
    status.set_defaults(action=_status)


def _status(known: argparse.Namespace, further: Sequence[str]) -> int:
    refuse_further(further)
    plan = load_plan(known.folder)
    jobs = read_progress(known.folder, plan)
    controls = list_damaged_controls(known.folder, plan)
    to_go = estimate_time_to_go(jobs, max(1, sum(job.state == "running" for job in jobs)))
    queue = _queue(known.folder, jobs)
    if known.json:
        facts = [asdict(job) | {"queue": queue.get(job.job, "")} for job in jobs]
        content = {"jobs": facts, "damaged_controls": controls, "seconds_to_go": to_go}
        sys.stdout.write(json.dumps(content, indent=2) + "\n")
        return 0
    for job in jobs:
        queued = queue.get(job.job, "") if job.state != "running" else ""
        note = ", ".join(filter(None, [job.line(), queued]))
        write_output(f"{job.state:<11}{job.job}  {note}".rstrip() + "\n")
    for name, reason in controls.items():
        write_output(f"{'damaged':<11}controls of {name}  {reason}\n")
    sys.stdout.write(
        ", ".join(filter(None, [count_states(job.state for job in jobs), format_time_to_go(to_go)])) + "\n"
    )
    return 0


def _queue(folder: Path, jobs: Sequence[Progress]) -> dict[str, str]:
    """Describe the SLURM state of the jobs in the queue and of submitted jobs that stopped before their end."""
    if not (folder / "slurm" / "submitted.json").is_file():
        return {}
    from benchmarks.run.slurm_queue import read_elements

    open_ = {job.job for job in jobs if job.state in ("unfinished", "waiting")}
    return {
        name: element.describe() for name, element in read_elements(folder).items() if element.queued or name in open_
    }
