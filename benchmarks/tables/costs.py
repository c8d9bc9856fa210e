"""The costs of the models of a benchmark: operations, time and memory.

Costs have a table of their own, because times depend on the machine and the leaderboard does not. `zoo profile`
measures each distinct model of the plan in a process of its own, one after the other, on the same input and after a
warm-up. `costs.json` holds the results.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from operator import itemgetter
from pathlib import Path
from typing import Any

from benchmarks.plan.job import Job, Plan
from benchmarks.plan.models import share_import_path
from benchmarks.run.failure_reasons import find_reason
from benchmarks.run.job_runner import ZOO
from benchmarks.storage.layout import read_costs, store_costs
from benchmarks.storage.stored_plan import load_plan
from benchmarks.tables.column import Column
from benchmarks.tables.latex import latex_tables
from benchmarks.tables.views import TableView, make_lines
from benchmarks.tables.writers import csv_text, markdown_table
from zoo.errors import RunError
from zoo.utils.format import format_quantity


def _batch(cost: Mapping[str, Any]) -> str:
    return f"{cost['batch_size']} x {'x'.join(str(size) for size in cost['patch'])}"


def _device(cost: Mapping[str, Any]) -> str:
    return f"CPU, {format_quantity(cost['threads'], 'thread')}" if cost["device"] == "CPU" else str(cost["device"])


def _column(key: str, title: str, text: Callable[[Mapping[str, Any]], str], words: bool = False) -> Column[Any]:
    return Column(key=key, title=title, get=itemgetter(key), text=text, words=words)


COST_COLUMNS: tuple[Column[Mapping[str, Any]], ...] = (
    _column("params", "params (M)", lambda cost: f"{cost['params'] / 1e6:.2f}"),
    _column("params_trainable", "trained (M)", lambda cost: f"{cost['params_trainable'] / 1e6:.2f}"),
    _column("gflops", "GFLOPs", lambda cost: f"{cost['gflops']:.2f}"),
    _column("step_s", "step (s)", lambda cost: f"{cost['step_s']:.4f}"),
    _column("step_mib", "step (MiB)", lambda cost: f"{cost['step_mib']:.0f}"),
    _column("case_s", "case (s)", lambda cost: f"{cost['case_s']:.4f}"),
    _column("case_mib", "case (MiB)", lambda cost: f"{cost['case_mib']:.0f}"),
    _column("batch_size", "batch", _batch, words=True),
    _column("device", "device", _device, words=True),
)  # fmt: skip
"""The columns of the table of costs."""

FOOTNOTE = (
    "GFLOPs: one forward pass over one training sample; a multiplication and an addition count as two operations, and "
    "a frozen text encoder is not counted. step: median of training steps with the batch of the table. case: median of "
    "predictions of the first test case, up to the mask on its own grid. Peak memory: on a GPU the allocated memory, "
    "on a processor the growth of the peak of the process during the training steps."
)


def measure_costs(
    folder: Path, report: Callable[[str], None], repeats: int = 5, command: Sequence[str] = ZOO
) -> dict[str, dict[str, Any]]:
    """Measure the models that are not measured yet, and store the costs after each model.

    A model that cannot be measured does not stop the others.

    Args:
        folder: The folder of the benchmark.
        report: Takes one line of progress.
        repeats: Number of timed steps, and of timed predictions, per model.
        command: The `zoo` command.

    Raises:
        RunError: There is no benchmark, or some models could not be measured; the costs of the others are stored.
    """
    costs, failed = read_costs(folder), []
    jobs = distinct_jobs(load_plan(folder))
    share_import_path(jobs.values())
    for key, job in jobs.items():
        if key in costs:
            continue
        report(f"{key}: measuring")
        try:
            costs[key] = _measure(job, repeats, command)
        except RunError as error:
            failed.append(error.problem)
            continue
        store_costs(folder, costs)
    if failed:
        raise RunError("; ".join(failed), "Correct the cause and run the command again.")
    return costs


def distinct_jobs(plan: Plan) -> dict[str, Job]:
    """Return one job of the plan for each `Job.cost_key`, sorted."""
    found: dict[str, Job] = {}
    for job in plan.jobs:
        found.setdefault(job.cost_key, replace(job, settings=replace(job.settings, devices=1)))
    return dict(sorted(found.items()))


def _measure(job: Job, repeats: int, command: Sequence[str]) -> dict[str, Any]:
    arguments = [*command, "profile", *job.flags(), "--repeats", str(repeats), "--json"]
    done = subprocess.run(  # noqa: S603 - our own command line
        arguments, capture_output=True, encoding="utf-8", errors="replace", check=False
    )
    if done.returncode:
        reason = find_reason(done.stderr, done.returncode)
        raise RunError(f"{job.cost_key}: {reason}", "Correct the cause and run the command again.")
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found | {"model": job.model, "data": job.shown_data, "encoder": job.encoder, "variant": job.variant}


def write_costs(costs: Mapping[str, Mapping[str, Any]], form: str) -> str:
    """Write the table of costs.

    Args:
        costs: The costs by `Job.cost_key`.
        form: "md" or "latex" to read; "csv" or "json" with all digits.

    Raises:
        RunError: No costs are measured.
    """
    if not costs:
        raise RunError("No costs are measured.", "Run `zoo bench costs DIR` first.")
    rows = [{"method": key, **cost} for key, cost in sorted(costs.items())]
    if form == "json":
        return json.dumps({"rows": rows, "footnotes": [FOOTNOTE]}, indent=2) + "\n"
    if form == "csv":
        return csv_text(list(rows[0]), ([row.get(name) for name in rows[0]] for row in rows))
    view = TableView(
        title="Costs",
        caption=f"Costs. {FOOTNOTE}",
        corner="Method",
        columns=COST_COLUMNS,
        groups=(("", make_lines(COST_COLUMNS, rows, itemgetter("method"))),),
    )
    return f"{markdown_table(view)}\n\n- {FOOTNOTE}\n" if form == "md" else latex_tables([view])
