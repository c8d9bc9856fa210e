"""How far the jobs of a benchmark are, read from their folders: for the live display as for `status`."""

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
from zoo.utils.format import format_duration


@dataclass(frozen=True, slots=True)
class Progress:
    """How far one job is.

    Attributes:
        job: Its id.
        state: "done", "running", "failed", "unfinished" or "waiting".
        note: The step that runs, the reason of a failure, or the next step.
        step: The step that runs or failed; empty otherwise.
        epoch: Epochs that are through, None where that is not known.
        epochs: Epochs in all, None where training is bounded otherwise.
        share: Share of the training steps that are taken, None where that is not known.
        to_go: Seconds to the end of this step, None where that is not known.
        attempt: How often it was begun.
        seconds: Step to the seconds that it took.
        advice: What to do about a failure.
        host: The machine that works or worked on it.
        launcher: "local" or "slurm".
        skipped: Step to the reason why it does not apply.
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
        """What there is to say beside the state and the id."""
        if self.state != "running":
            return add_advice(self.note, self.advice)
        epoch = "" if self.epoch is None else f"epoch {self.epoch}" + (f"/{self.epochs}" if self.epochs else "")
        share = "" if self.share is None else f"{self.share:.0%}"
        again = f"attempt {self.attempt}" if self.attempt > 1 else ""
        return ", ".join(
            filter(None, [self.step, epoch, share, again, f"on {self.host}" if self.host else "", left(self.to_go)])
        )


def left(seconds: float | None) -> str:
    """A time to go in words: `2:05:00 to go`; empty where it is not known, or none is left."""
    if seconds is None or seconds < 1:
        return ""
    return f"{format_duration(seconds)} to go"


def read_progress(folder: Path, plan: Plan) -> list[Progress]:
    """How far each job is, in the plan's order."""
    return [_progress(layout.job_folder(folder, job.id), job) for job in plan.jobs]


def _progress(run: Path, job: Job) -> Progress:
    state, note = layout.find_job_state(run, job.steps)
    if state == "waiting":
        return Progress(job.id, state)
    said = layout.read_status(run)
    common: dict[str, Any] = {
        "attempt": int(said.get("attempt", 0)),
        "seconds": said.get("seconds", {}),
        "host": said.get("host", ""),
        "launcher": said.get("launcher", ""),
        "skipped": layout.skipped_steps(run, job.steps),
    }
    if state == "failed":
        return Progress(job.id, state, note, said.get("step", ""), advice=said.get("advice", ""), **common)
    if state != "running" or note != "fit":
        return Progress(job.id, state, note, note if state == "running" else "", **common)
    facts = layout.read_manifest(run) or {}
    epoch, steps = read_last_step(run)
    total = count_total_steps(facts)
    share = min(steps / total, 1.0) if total and steps is not None else None
    to_go = _to_go(said, steps, total)
    epochs = facts.get("epochs")
    return Progress(job.id, state, note, "fit", epoch, epochs, share, to_go, **common)


def read_last_step(run: Path) -> tuple[int | None, int | None]:
    """(epochs, steps) that a training has logged; None where nothing was."""
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
    """Training steps in all, as the manifest's budget says."""
    budget = manifest.get("budget") or {}
    samples, batch = budget.get("samples"), budget.get("batch_size")
    return int(samples) // int(batch) if samples and batch else None


def _to_go(said: Mapping[str, Any], steps: int | None, total: int | None) -> float | None:
    """Seconds to the end of training at the pace since the step was begun."""
    begun, before = said.get("step_started"), int(said.get("steps_before") or 0)
    if not (begun and steps and total and steps > before):
        return None
    passed = (datetime.now(UTC) - datetime.fromisoformat(begun)).total_seconds()
    return passed / (steps - before) * max(total - steps, 0)


def estimate_time_to_go(jobs: Sequence[Progress], at_once: int = 1) -> float | None:
    """Seconds until all is done, None until a first job of the plan is.

    Jobs that wait take as long as those of the same model and data set took, or else as all did in the mean; what
    failed is not waited for.
    """
    taken = {job.job: sum((job.seconds or {}).values()) for job in jobs if job.state == "done" and job.seconds}
    if not taken:
        return None
    alike: dict[str, list[float]] = {}
    for name, seconds in taken.items():
        alike.setdefault(_kind(name), []).append(seconds)
    ahead = 0.0
    for job in jobs:
        if job.state in ("waiting", "unfinished", "running"):
            whole = fmean(alike.get(_kind(job.job), taken.values()))
            ahead += max(whole - sum((job.seconds or {}).values()), 0.0) * (1 - (job.share or 0.0))
    return ahead / max(at_once, 1)


def _kind(job: str) -> str:
    """A job's id without its seed."""
    return job.rpartition("-s")[0]


def count_states(states: Iterable[str]) -> str:
    """`3 done, 1 failed`, in an order of its own."""
    order = ("done", "running", "failed", "unfinished", "waiting")
    found = list(states)
    return ", ".join(f"{found.count(state)} {state}" for state in order if state in found) or "no jobs"
