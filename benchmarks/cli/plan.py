"""`zoo bench plan`: print the jobs of a plan and their costs; without a name, the plans of the zoo."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from benchmarks.cli.choice import add_to, choose_plan, parse_overrides
from benchmarks.plan.folds import describe_parts
from benchmarks.plan.job import Plan
from benchmarks.plan.models import share_import_path
from benchmarks.plan.plan_file import describe_plan, list_plans
from benchmarks.plan.tuned import describe_untuned
from benchmarks.run.cost_estimate import Cost, estimate_costs
from benchmarks.run.preflight import Conditions, check_plan
from zoo.utils.format import format_duration, format_quantity
from zoo.utils.printing import write_error, write_output


def add(verbs: Any, about: str) -> None:
    """Add the parser of the verb."""
    plan = add_to(verbs, "plan", about)
    plan.usage = "zoo bench plan [NAME|FILE] [options]; without a name and flags, the names"
    plan.add_argument("--plan", default="", help=argparse.SUPPRESS)  # the first argument, which has no flag
    plan.add_argument("--probe", action="store_true", help="train a few steps of each method: time and memory")
    plan.add_argument("--launcher", choices=("local", "slurm"), default="local", help="slurm: other machines run it")
    plan.add_argument("--yes", action="store_true", help="a published size without a GPU is wanted")
    plan.add_argument("--json", action="store_true", help="the same facts as JSON")
    plan.set_defaults(action=_plan)


def _plan(known: argparse.Namespace, further: Sequence[str]) -> int:
    if not known.plan and known.models is None and known.data is None:
        width = max(map(len, list_plans())) + 2
        write_output("".join(f"{name:<{width}}{describe_plan(name)}\n" for name in list_plans()))
        return 0
    plan = choose_plan(known, known.plan, parse_overrides(further))
    share_import_path(plan.jobs)
    for line in (*plan.notes, *describe_parts(plan.jobs), *describe_untuned(plan.jobs)):
        write_error(line)
    found = estimate_costs(plan, known.probe, write_error)
    if known.json:
        jobs = [{"id": job.id, "steps": job.steps} for job in plan.jobs]
        methods = [asdict(cost) | {"seconds": cost.seconds} for cost in found]
        sys.stdout.write(json.dumps({"jobs": jobs, "methods": methods}, indent=2) + "\n")
    else:
        write_output("".join(f"{line}\n" for line in write_lines(plan, found)))
    seconds = seconds_per_job(plan, found)
    check_plan(plan.jobs, Conditions(None, known.launcher == "local", known.yes, seconds), write_error)
    return 0


def seconds_per_job(plan: Plan, found: Sequence[Cost]) -> dict[str, float]:
    """Return the measured seconds of one job of each method, by its cost key; without a probe nothing."""
    keys = {job.method: job.cost_key for job in plan.jobs}
    return {keys[cost.method]: cost.seconds / cost.jobs for cost in found if cost.seconds is not None}


def write_lines(plan: Plan, found: Sequence[Cost]) -> list[str]:
    """Write the jobs, the cost of each method, and the sum."""
    return [*(f"{job.id}  {' '.join(job.steps)}" for job in plan.jobs), "", *write_costs(found)]


def write_costs(found: Sequence[Cost]) -> list[str]:
    """Write the cost of each method, and the sum."""
    width = max(len(cost.method) for cost in found)
    text = [f"{'method':<{width}}  jobs  steps a job  s a step  peak GiB  training"]
    for cost in found:
        steps = "?" if cost.steps is None else str(cost.steps)
        step = "" if cost.step_seconds is None else f"{cost.step_seconds:.3f}"
        peak = "" if cost.peak_bytes is None else f"{cost.peak_bytes / 2**30:.2f}"
        training = format_duration(cost.seconds)
        line = f"{cost.method:<{width}}  {cost.jobs:>4}  {steps:>11}  {step:>8}  {peak:>8}  {training:>8}"
        text.append(f"{line}  {cost.note}".rstrip())
    known = all(cost.steps is not None for cost in found)
    total = str(sum(cost.jobs * (cost.steps or 0) for cost in found)) if known else "an unknown number of"
    tests = sum(cost.jobs * cost.tests for cost in found)
    jobs = sum(cost.jobs for cost in found)
    text += ["", f"{format_quantity(jobs, 'job')}, {total} training steps, {format_quantity(tests, 'test')}"]
    if found and all(cost.seconds is not None for cost in found):
        devices = ", ".join(sorted({cost.device for cost in found}))
        text[-1] += (
            f"; training one after another {format_duration(sum(cost.seconds or 0 for cost in found))} on {devices}"
        )
        text[-1] += ", validation and tests on top"
    return text
