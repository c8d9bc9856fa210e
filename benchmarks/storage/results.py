"""What the jobs and controls of a benchmark have left on disk, read and summarised."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from statistics import fmean
from typing import Any

from benchmarks.plan.job import Job, Plan
from benchmarks.storage import layout as store
from zoo.metrics.case_scores import CaseScore, read_rows
from zoo.metrics.summary import Summary, summarise
from zoo.utils.hashing import hash_lines

NONE = "all"
"""Name of the entry that stands for controls that are not there."""


@dataclass(frozen=True)
class Scored:
    """The rows of one test.

    Attributes:
        rows: One a case and class.
        about: What `zoo test` says of them in `about.json`; empty for a folder of an older version.
    """

    rows: tuple[CaseScore, ...]
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
        facts: `split_hash` and `metric_version` of the computation, and the images that two parts share (`twins`).
        scored: Its rows, None where it has only a Dice or none.
        dice: The Dice of a control that is a bound and not a prediction.
        note: Why there is no score, or what the number is.
        folds: How many folds it was pooled over, None for the protocol's own parts.
    """

    name: str
    data: str
    track: str = "none"
    facts: Mapping[str, Any] = field(default_factory=dict)
    scored: Scored | None = None
    dice: float | None = None
    note: str = ""
    folds: int | None = None

    @property
    def summary(self) -> Summary | None:
        """The means of its rows."""
        return self.scored.summary if self.scored else None


def read_results(folder: Path, plan: Plan) -> list[Result]:
    """The results of all jobs, in an order that does not depend on the plan's."""
    return [_result(folder, job) for job in sorted(plan.jobs, key=lambda job: job.id)]


def all_controls(folder: Path, jobs: Iterable[Job]) -> list[Control]:
    """The controls of all data sets of a benchmark, sorted; those of a data set with folds are pooled over them."""
    tested: dict[str, set[int | None]] = {}
    for job in jobs:
        tested.setdefault(job.data, set()).add(job.fold)
    found = []
    for data, kinds in sorted(tested.items()):
        folds = {fold: read_controls(folder, data, fold) for fold in sorted(kinds - {None}, key=lambda fold: fold or 0)}
        found += read_controls(folder, data) if None in kinds else []
        found += pool_controls(data, folds) if folds else []
    return found


def pool_controls(data: str, folds: Mapping[int | None, Sequence[Control]]) -> list[Control]:
    """Each control of a data set with the test cases of all folds, each case once.

    A bound that has no rows is averaged over the folds and says so. A control that lacks a fold has no figure.

    Args:
        data: The data set.
        folds: Fold to its controls.
    """
    count = len(folds)
    lacking = [f"fold {fold}: {one.note}" for fold, ones in folds.items() for one in ones if one.name == NONE]
    if lacking:
        return [Control(NONE, data, note="; ".join(lacking), folds=count)]
    named = {fold: {one.name: one for one in ones} for fold, ones in folds.items()}
    names = sorted({name for ones in named.values() for name in ones})
    return [_pooled(data, name, {fold: ones.get(name) for fold, ones in named.items()}) for name in names]


def pooled_hash(hashes: Iterable[str]) -> str:
    """The hash of the splits of all folds, in their order."""
    return hash_lines(hashes)


def _pooled(data: str, name: str, folds: Mapping[int | None, Control | None]) -> Control:
    there = [one for one in folds.values() if one]
    notes = list(dict.fromkeys(filter(None, (one.note for one in there))))
    facts = {
        "split_hash": pooled_hash(str(one.facts["split_hash"]) for one in there),
        "metric_version": " and ".join(sorted({str(one.facts["metric_version"]) for one in there})),
        "twins": tuple(dict.fromkeys(twin for one in there for twin in one.facts.get("twins", ()))),
    }
    pooled = Control(name, data, there[0].track, facts, note="; ".join(notes), folds=len(folds))
    scored = [one.scored for one in there if one.scored]
    bounds = [one.dice for one in there if one.dice is not None]
    if len(scored) == len(folds):
        rows = tuple(row for one in scored for row in one.rows)
        if len({(row.key, row.label) for row in rows}) < len(rows):
            return replace(pooled, note="a case is tested on in two folds")
        return replace(pooled, scored=Scored(rows))
    if len(bounds) == len(folds):
        return replace(pooled, dice=fmean(bounds), note="; ".join([*notes, f"mean of {len(folds)} folds"]))
    if scored or bounds:
        without = [str(fold) for fold, one in folds.items() if one is None or (one.scored is None and one.dice is None)]
        return replace(pooled, note="; ".join([*notes, f"none in fold {', '.join(without)}"]))
    return pooled


def read_controls(folder: Path, data: str, fold: int | None = None) -> list[Control]:
    """The controls of one data set, or one fold of it; where they are not there, one entry that says so."""
    target = store.controls_folder(folder, data, fold)
    path = target / "controls.json"
    if not path.is_file():
        failed = store.failure(target)
        return [Control(name=NONE, data=data, note=failed["reason"] if failed else "not computed yet")]
    content = store.read_json(path)
    facts = {key: content[key] for key in ("split_hash", "metric_version")}
    facts["twins"] = tuple(content.get("twins", ()))  # an older version did not look
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
