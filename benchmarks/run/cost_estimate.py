"""The costs of a plan: training steps from the configurations, time and memory from a short probe."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from benchmarks.plan.job import Job, Plan
from benchmarks.plan.job_config import plan_config
from zoo.engine.cost_estimate import PROBE_LIMIT, count_training_steps, measure_steps
from zoo.errors import DataError


@dataclass(frozen=True, slots=True)
class Cost:
    """The costs of the jobs of one method on a data set.

    Attributes:
        method: Id of the jobs without the seed.
        jobs: Number of jobs with this method.
        steps: Training steps per job, None where only the classes know the number.
        tests: Tests per job.
        step_seconds: Seconds per training step, None without a probe.
        peak_bytes: Peak memory in training, of the GPU, or of the process without a GPU.
        device: Device of the probe.
        note: Why there is no probe.
    """

    method: str
    jobs: int
    steps: int | None
    tests: int
    step_seconds: float | None = None
    peak_bytes: int | None = None
    device: str = ""
    note: str = ""

    @property
    def seconds(self) -> float | None:
        """Training time of all jobs one after another, without validation and tests."""
        return None if self.steps is None or self.step_seconds is None else self.jobs * self.steps * self.step_seconds


def estimate_costs(plan: Plan, probe: bool = False, say: Callable[[str], None] = lambda _: None) -> list[Cost]:
    """Estimate the costs of each method of a plan.

    Args:
        plan: The plan.
        probe: Whether to train a few steps of each distinct model, data set and budget.
        say: Called with one line before each probe.
    """
    methods: dict[str, list[Job]] = {}
    for job in plan.jobs:
        methods.setdefault(job.method, []).append(job)
    probed: dict[str, Mapping[str, Any]] = {}
    found = []
    for method, jobs in methods.items():
        job = jobs[0]
        cost = Cost(method, len(jobs), count_steps(job), len(job.steps) - 1)
        if probe and job.cost_key not in probed:
            say(f"probing {method}")
            probed[job.cost_key] = run_probe(job)
        found.append(_with_probe(cost, probed.get(job.cost_key, {})))
    return found


def count_steps(job: Job) -> int | None:
    """Count the training steps of a job. None where only the classes know it, or where there is no plan yet."""
    try:
        return count_training_steps(plan_config(job))
    except DataError:  # the checks before the first job report it, where the data are on this machine
        return None


def _with_probe(cost: Cost, seen: Mapping[str, Any]) -> Cost:
    steps = seen.get("steps_planned") or cost.steps
    known = {key: seen[key] for key in seen if key not in ("steps_planned", "at_least")}
    return replace(cost, **known, steps=steps)


def run_probe(job: Job) -> dict[str, Any]:
    """Measure some steps of a job; `note` says why a measurement failed."""
    try:
        return measure_steps(job.flags(), PROBE_LIMIT)
    except subprocess.TimeoutExpired:
        return {"note": f"no probe: not done in {PROBE_LIMIT:.0f} s"}
