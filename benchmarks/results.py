"""What the jobs and controls of a benchmark have left on disk, read and summarised."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from benchmarks import store
from benchmarks.plan import Job, Plan
from zoo.metrics.rows import ScoreRow, read_rows
from zoo.metrics.summary import Summary, summarise


@dataclass(frozen=True)
class Scored:
    """The rows of one test.

    Attributes:
        rows: One a case and class.
        about: What `zoo test` says of them in `about.json`; empty for a folder of an older version.
    """

    rows: tuple[ScoreRow, ...]
    about: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def summary(self) -> Summary:
        """The means of the rows."""
        return summarise(self.rows)


@dataclass(frozen=True, slots=True)
class Result:
    """One job: its state and, where it is done, what came out.

    Attributes:
        job: The job.
        state: "done", "running", "failed", "unfinished" or "waiting".
        note: The reason of a failure, or the next step.
        facts: The run's manifest, empty where no fit has begun; once done, `metric_version` is that of the tests.
        scored: Step ("test", "test-shuffled", "test-blank", "test-names") to its rows; empty unless done, and
            without those that do not apply to the data set.
    """

    job: Job
    state: str
    note: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)
    scored: Mapping[str, Scored] = field(default_factory=dict)

    @property
    def tests(self) -> dict[str, Summary]:
        """Step to the means of its rows."""
        return {step: scored.summary for step, scored in self.scored.items()}


@dataclass(frozen=True, slots=True)
class Control:
    """What one control scores on a data set.

    Attributes:
        name: "all-background", "mean-shape", "text-only", or a name of the data set's own.
        data: The data set.
        track: "none", or the data set's track where the control reads the text.
        facts: `split_hash` and `metric_version` of the computation.
        scored: Its rows, None where it has only a Dice or none.
        dice: The Dice of a control that is a bound and not a prediction.
        note: Why there is no score, or what the number is.
    """

    name: str
    data: str
    track: str = "none"
    facts: Mapping[str, Any] = field(default_factory=dict)
    scored: Scored | None = None
    dice: float | None = None
    note: str = ""

    @property
    def summary(self) -> Summary | None:
        """The means of its rows."""
        return self.scored.summary if self.scored else None


def read_results(folder: Path, plan: Plan) -> list[Result]:
    """The results of all jobs, in an order that does not depend on the plan's."""
    return [_result(folder, job) for job in sorted(plan.jobs, key=lambda job: job.id)]


def read_controls(folder: Path, data: str, fold: int | None = None) -> list[Control]:
    """The controls of one data set, or one fold of it; where they are not there, one entry that says so."""
    target = store.controls_folder(folder, data, fold)
    path = target / "controls.json"
    if not path.is_file():
        failed = store.failure(target)
        return [Control(name="all", data=data, note=failed["reason"] if failed else "not computed yet")]
    content = store.read_json(path)
    facts = {key: content[key] for key in ("split_hash", "metric_version")}
    controls = []
    for name, entry in sorted(content["controls"].items()):
        cases = target / str(entry.get("cases", ""))
        controls.append(
            Control(
                name=name,
                data=data,
                track=entry.get("track", "none"),
                facts=facts,
                scored=Scored(tuple(read_rows(cases))) if "cases" in entry else None,
                dice=entry.get("dice"),
                note=entry.get("note", ""),
            )
        )
    return controls


def _result(folder: Path, job: Job) -> Result:
    run = store.job_folder(folder, job.id)
    state, note = store.job_state(run, job.steps)
    facts = store.manifest(run) or {}
    scored = {}
    if state == "done":
        left_out = {"fit", *store.skipped(run, job.steps)}
        scored = {
            step: Scored(tuple(read_rows(store.cases_path(run, step))), store.scored_about(run, step))
            for step in job.steps
            if step not in left_out
        }
        # of the rows, not of the fit: an older run may be tested by a newer zoo
        versions = {str(test.about.get("metric_version", facts.get("metric_version"))) for test in scored.values()}
        facts = facts | {"metric_version": " and ".join(sorted(versions))}
    return Result(job=job, state=state, note=note, facts=facts, scored=scored)
