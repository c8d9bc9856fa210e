"""The progress of the jobs of a benchmark, read from their folders for the live display and for `status`."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import fmean
from typing import Any

from benchmarks.plan.job import Job, Plan
from benchmarks.run.failure_reasons import add_advice
from benchmarks.storage import layout
from benchmarks.storage.sealed_tests import check_job_state, find_damage
from zoo.utils.format import format_duration


@dataclass(frozen=True, slots=True)
class Progress:
    """The progress of one job.

    Attributes:
        job: Id of the job.
        state: "done", "running", "damaged", "failed", "unfinished" or "waiting".
        note: The step that runs, the reason of a failure, what was damaged, or the next step.
        step: The step that runs or failed; empty otherwise.
        epoch: Number of finished epochs, None where it is unknown.
        epochs: Number of all epochs, None where training has another limit.
        share: Share of finished training steps, None where it is unknown.
        to_go: Seconds to the end of this step, None where they are unknown.
        attempt: Number of attempts.
        seconds: Step -> duration in seconds.
        advice: Advice about a failure.
        host: The machine of the job.
        launcher: "local" or "slurm".
        skipped: Step -> the reason why it does not apply.
    """

    job: str
    state: str
    note: str = ""
    step: str = ""
    epoch: int | None = None
    epochs: int | None = None
    share: float | None = None
    to_go: float | None = None
    attempt: int = 0
    seconds: Mapping[str, float] | None = None
    advice: str = ""
    host: str = ""
    launcher: str = ""
    skipped: Mapping[str, str] | None = None

    def line(self) -> str:
        """Describe the job in one line, without state and id."""
        if self.state != "running":
            return add_advice(self.note, self.advice)
        epoch = "" if self.epoch is None else f"epoch {self.epoch}" + (f"/{self.epochs}" if self.epochs else "")
        share = "" if self.share is None else f"{self.share:.0%}"
        again = f"attempt {self.attempt}" if self.attempt > 1 else ""
        return ", ".join(
            filter(
                None,
                [self.step, epoch, share, again, f"on {self.host}" if self.host else "", format_time_to_go(self.to_go)],
            )
        )


def format_time_to_go(seconds: float | None) -> str:
    """Write a remaining time as `2:05:00 to go`; empty where it is unknown or 0."""
    if seconds is None or seconds < 1:
        return ""
    return f"{format_duration(seconds)} to go"


def read_progress(folder: Path, plan: Plan) -> list[Progress]:
    """Read the progress of each job, in the order of the plan."""
    return [_progress(layout.job_folder(folder, job.id), job) for job in plan.jobs]


def list_damaged_controls(folder: Path, plan: Plan) -> dict[str, str]:
    """Return why the controls of a data set, or of one of its folds, cannot be used; those without damage are left out.

    Args:
        folder: The folder of the benchmark.
        plan: Its jobs.
    """
    targets = dict.fromkeys(layout.controls_folder(folder, job.data, job.fold) for job in plan.jobs)
    return {target.name: reason for target in targets if (reason := find_damage(target, "controls"))}


def _progress(run: Path, job: Job) -> Progress:
    state, note = check_job_state(run, job.steps)
    if state == "waiting":
        return Progress(job.id, state)
    status = layout.read_status(run)
    common: dict[str, Any] = {
        "attempt": int(status.get("attempt", 0)),
        "seconds": status.get("seconds", {}),
        "host": status.get("host", ""),
        "launcher": status.get("launcher", ""),
        "skipped": {} if state == "damaged" else layout.skipped_steps(run, job.steps),
    }
    if state == "failed":
        return Progress(job.id, state, note, status.get("step", ""), advice=status.get("advice", ""), **common)
    if state != "running" or note != "fit":
        return Progress(job.id, state, note, note if state == "running" else "", **common)
    facts = layout.read_manifest(run) or {}
    epoch, steps = read_last_step(run)
    total = count_total_steps(facts)
    share = min(steps / total, 1.0) if total and steps is not None else None
    to_go = _to_go(status, steps, total)
    epochs = facts.get("epochs")
    return Progress(job.id, state, note, "fit", epoch, epochs, share, to_go, **common)


def read_last_step(run: Path) -> tuple[int | None, int | None]:
    """Read the last logged (epoch, step) of a training; None without a log."""
    path = run / "metrics.csv"
    if not path.is_file():
        return None, None
    with path.open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if (row.get("step") or "").isdecimal()]
    if not rows:
        return None, None
    epochs = [int(row["epoch"]) + 1 for row in rows if (row.get("epoch") or "").isdecimal()]
    return max(epochs, default=None), max(int(row["step"]) for row in rows) + 1


def count_total_steps(manifest: Mapping[str, Any]) -> int | None:
    """Compute the number of all training steps from the budget of the manifest."""
    budget = manifest.get("budget") or {}
    samples, batch = budget.get("samples"), budget.get("batch_size")
    return int(samples) // int(batch) if samples and batch else None


def _to_go(status: Mapping[str, Any], steps: int | None, total: int | None) -> float | None:
    """Estimate the seconds to the end of training from the speed since its start."""
    begun, before = status.get("step_started"), int(status.get("steps_before") or 0)
    if not (begun and steps and total and steps > before):
        return None
    passed = (datetime.now(UTC) - datetime.fromisoformat(begun)).total_seconds()
    return passed / (steps - before) * max(total - steps, 0)


def estimate_time_to_go(jobs: Sequence[Progress], at_once: int = 1) -> float | None:
    """Estimate the seconds until all jobs are done; None before the first job is done.

    The estimate of an open job is the mean time of done jobs with the same model and data set, or else of all done
    jobs. Failed jobs do not count.
    """
    taken = {job.job: sum((job.seconds or {}).values()) for job in jobs if job.state == "done" and job.seconds}
    if not taken:
        return None
    alike: dict[str, list[float]] = {}
    for name, seconds in taken.items():
        alike.setdefault(_kind(name), []).append(seconds)
    ahead = 0.0
    for job in jobs:
        if job.state in ("waiting", "unfinished", "running", "damaged"):
            whole = fmean(alike.get(_kind(job.job), taken.values()))
            ahead += max(whole - sum((job.seconds or {}).values()), 0.0) * (1 - (job.share or 0.0))
    return ahead / max(at_once, 1)


def _kind(job: str) -> str:
    """Return the id of a job without its seed."""
    return job.rpartition("-s")[0]


def count_states(states: Iterable[str]) -> str:
    """Write the number of jobs per state, such as `3 done, 1 failed`, in a fixed order."""
    order = ("done", "running", "damaged", "failed", "unfinished", "waiting")
    found = list(states)
    return ", ".join(f"{found.count(state)} {state}" for state in order if state in found) or "no jobs"
