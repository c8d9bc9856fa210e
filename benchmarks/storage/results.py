"""The results of a benchmark, read once: `read_benchmark` reads the folder, and what follows needs no file.

Only the report reads more: the learning curves and the pictures in the run folder of a job.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import fmean
from typing import Any

from benchmarks.plan.job import Job, Plan
from benchmarks.storage import layout
from benchmarks.storage.scored import ScoredPart, read_scored
from benchmarks.storage.sealed_tests import TestScores as TestScores  # noqa: PLC0414 - a part of the results below
from benchmarks.storage.sealed_tests import (
    check_job_run,
    has_case_twice,
    read_control_rows,
    read_controls_file,
    read_test,
)
from benchmarks.storage.stored_plan import load_plan, plan_path, refuse_trials
from zoo.engine.run_seals import is_sealed
from zoo.errors import RunError
from zoo.utils.hashing import hash_lines
from zoo.utils.seals import SEAL

ALL_CONTROLS = "all"
"""Name of the entry that stands for all controls of a data set as long as they are not computed."""


@dataclass(frozen=True, slots=True)
class JobResult:
    """The state of one job and, where the job is done, its scores.

    Attributes:
        job: The job.
        state: "done", "running", "failed", "unfinished" or "waiting".
        note: The reason of a failure, or the next step.
        manifest: The manifest of the run, empty where no fit has begun. The `metric_version` of a job that is done
            is the version of its tests.
        tests: Step ("test", "test-shuffled", "test-blank", "test-names") to its scores. It is empty unless the job is
            done, and it lacks the steps that do not apply to the data set.
        folder: The run folder.
        training: Hash of the configuration without seed and fold; empty for a single benchmark, where a model has
            one configuration.
        options: The options in which the rows of this model differ where several folders are read.
        refusal: Why a finished test cannot be used; empty if it can.
        sealed: Whether the files have seals; those of an older version of the zoo have none.

    Example:
        >>> from benchmarks.plan.job import Settings
        >>> job = Job(model="unet", data="btcv", seed=0, track="none", encoder="", settings=Settings("tiny", "cpu"))
        >>> JobResult(job, "waiting").name
        'seed 0'
    """

    job: Job
    state: str
    note: str = ""
    manifest: Mapping[str, Any] = field(default_factory=dict)
    tests: Mapping[str, TestScores] = field(default_factory=dict)
    folder: Path = Path()
    training: str = ""
    options: str = ""
    refusal: str = ""
    sealed: bool = True

    @property
    def name(self) -> str:
        """The seed, and the fold where there is one, as reasons and legends name the job."""
        return f"seed {self.job.seed}" + ("" if self.job.fold is None else f" fold {self.job.fold}")


@dataclass(frozen=True, slots=True)
class Control:
    """The scores of one control on a data set.

    Attributes:
        name: "all-background", "mean-shape", "text-only", or a name that the data set gives.
        data: The data set.
        track: "none", or the text track of the data set where the control reads the text.
        split_hash: Hash of the split on which the control was computed.
        metric_version: Metric version of its scores.
        shared_images: The images that two splits share, one sentence per pair.
        scores: Its scores, None where the control has a Dice alone, or nothing.
        dice: The Dice of a control that is a bound and not a prediction.
        note: Why there is no score, or what the number is.
        folds: Number of folds whose scores are pooled, None for the splits of the protocol.
        sealed: Whether its files have seals; those of an older version of the zoo have none.
    """

    name: str
    data: str
    track: str = "none"
    split_hash: str = ""
    metric_version: str = ""
    shared_images: tuple[str, ...] = ()
    scores: TestScores | None = None
    dice: float | None = None
    note: str = ""
    folds: int | None = None
    sealed: bool = True


@dataclass(frozen=True, slots=True)
class Benchmark:
    """Everything that a benchmark has stored of its jobs.

    Attributes:
        results: One result per job of the plan, sorted by the id of the job.
        controls: The controls of all data sets, sorted by data set and name.
        costs: Measured costs by `Job.cost_key`; empty where `zoo bench costs` has not run.
        notes: What was left out, one sentence or two per folder.
        scored: The scores of methods outside the zoo.

    Example:
        >>> from benchmarks.plan.job import Settings
        >>> job = Job(model="unet", data="btcv", seed=0, track="none", encoder="", settings=Settings("tiny", "cpu"))
        >>> Benchmark(results=(JobResult(job, "waiting"),)).controls
        ()
    """

    results: tuple[JobResult, ...]
    controls: tuple[Control, ...] = ()
    costs: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    scored: tuple[ScoredPart, ...] = ()


def read_benchmark(folder: str | Path) -> Benchmark:
    """Read the plan, the results, the controls and the costs in the folder of a benchmark.

    Args:
        folder: The folder, `--out` of `zoo bench run`.

    Raises:
        RunError: There is no benchmark in the folder, or one of its files cannot be read.

    Example:
        >>> read_benchmark("no/such/folder")
        Traceback (most recent call last):
        zoo.errors.RunError: ...
    """
    folder = Path(folder)
    scored, notes = read_scored(folder)
    plan = load_plan(folder) if plan_path(folder).is_file() or not (scored or notes) else Plan(())
    refuse_trials(folder, plan)
    results = tuple(read_result(folder, job) for job in sorted(plan.jobs, key=lambda job: job.id))
    controls = tuple(read_all_controls(folder, plan.jobs))
    return Benchmark(results, controls, layout.read_costs(folder), (*plan.notes, *notes), scored)


def read_result(folder: Path, job: Job) -> JobResult:
    """Read the result of one job in the folder of a benchmark (`read_run`)."""
    return read_run(layout.job_folder(folder, job.id), job, job.id)


def read_run(run: Path, job: Job, owner: str = "") -> JobResult:
    """Read the result of one job in its run folder. A result that is not what the job wrote is refused.

    Args:
        run: The run folder.
        job: The job.
        owner: The job whose results are expected in the folder; empty for a single run.

    Raises:
        RunError: A file of a job that is not done cannot be read.
    """
    state, note = layout.find_job_state(run, job.steps)
    manifest: Mapping[str, Any] = layout.read_manifest(run) or {}
    result = JobResult(job, state, note, manifest, folder=run)
    if state != "done":
        return result
    try:
        left_out = {"fit", *layout.skipped_steps(run, job.steps)}
        manifest = check_job_run(run, owner)
        tests = {step: read_test(run, step, manifest) for step in job.steps if step not in left_out}
    except RunError as error:
        return replace(result, refusal=f"{result.name}: {error}")
    # The version of the scores and not of the fit: a newer version of the zoo may test an older run.
    versions = {str(test.about.get("metric_version", manifest.get("metric_version"))) for test in tests.values()}
    manifest = {**manifest, "metric_version": " and ".join(sorted(versions))}
    return replace(result, manifest=manifest, tests=tests, sealed=is_sealed(manifest))


def read_all_controls(folder: Path, jobs: Iterable[Job]) -> list[Control]:
    """Read the controls of all data sets of a benchmark; the controls of a data set with folds are pooled.

    Args:
        folder: The folder of the benchmark.
        jobs: The jobs, which tell the data sets and their folds.
    """
    tested: dict[str, set[int | None]] = {}
    for job in jobs:
        tested.setdefault(job.data, set()).add(job.fold)
    found = []
    for data, kinds in sorted(tested.items()):
        folds = {fold: read_controls(folder, data, fold) for fold in sorted(kinds - {None}, key=lambda fold: fold or 0)}
        found += read_controls(folder, data) if None in kinds else []
        found += pool_controls(data, folds) if folds else []
    return found


def read_controls(folder: Path, data: str, fold: int | None = None) -> list[Control]:
    """Read the controls of one data set or of one of its folds.

    Args:
        folder: The folder of the benchmark.
        data: The data set.
        fold: The fold, None for the splits of the protocol.

    Returns:
        The controls by name; one entry `ALL_CONTROLS` with the reason where they are not computed.
    """
    target = layout.controls_folder(folder, data, fold)
    path = target / "controls.json"
    if not path.is_file():
        failed = layout.read_failure(target)
        return [Control(ALL_CONTROLS, data, note=failed["reason"] if failed else "not computed yet")]
    try:
        content = read_controls_file(path)
    except RunError as error:
        return [Control(ALL_CONTROLS, data, note=str(error))]
    return [_read_control(path, data, content, name, entry) for name, entry in sorted(content["controls"].items())]


def _read_control(path: Path, data: str, content: Mapping[str, Any], name: str, entry: Mapping[str, Any]) -> Control:
    """Read one control of `controls.json`; it has no score but a note if its rows are not those that were written."""
    control = Control(
        name=name,
        data=data,
        track=entry.get("track", "none"),
        split_hash=str(content["split_hash"]),
        metric_version=str(content["metric_version"]),
        shared_images=tuple(content.get("shared_images", ())),
        dice=entry.get("dice"),
        note=entry.get("note", ""),
        sealed=SEAL in content,
    )
    if "cases" not in entry:
        return control
    try:
        return replace(control, scores=TestScores(tuple(read_control_rows(path, content, str(entry["cases"])))))
    except RunError as error:
        return replace(control, note=str(error))


def pool_controls(data: str, folds: Mapping[int | None, Sequence[Control]]) -> list[Control]:
    """Pool each control of a data set over its folds, so that it has each test case once.

    A bound without rows is averaged over the folds, and its note says so. A control that lacks a fold has no score.

    Args:
        data: The data set.
        folds: Fold to its controls.
    """
    missing = [f"fold {fold}: {one.note}" for fold, ones in folds.items() for one in ones if one.name == ALL_CONTROLS]
    if missing:
        return [Control(ALL_CONTROLS, data, note="; ".join(missing), folds=len(folds))]
    by_name = {fold: {one.name: one for one in ones} for fold, ones in folds.items()}
    names = sorted({name for ones in by_name.values() for name in ones})
    return [_pool_control(data, name, {fold: ones.get(name) for fold, ones in by_name.items()}) for name in names]


def pool_hashes(hashes: Iterable[str]) -> str:
    """Return one hash of the splits of all folds, in the order of the folds."""
    return hash_lines(hashes)


def _pool_control(data: str, name: str, folds: Mapping[int | None, Control | None]) -> Control:
    existing = [one for one in folds.values() if one]
    notes = list(dict.fromkeys(filter(None, (one.note for one in existing))))
    pooled = Control(
        name,
        data,
        existing[0].track,
        split_hash=pool_hashes(one.split_hash for one in existing),
        metric_version=" and ".join(sorted({one.metric_version for one in existing})),
        shared_images=tuple(dict.fromkeys(image for one in existing for image in one.shared_images)),
        note="; ".join(notes),
        folds=len(folds),
        sealed=all(one.sealed for one in existing),
    )
    scores = [one.scores for one in existing if one.scores]
    bounds = [one.dice for one in existing if one.dice is not None]
    if len(scores) == len(folds):
        rows = tuple(row for one in scores for row in one.rows)
        if has_case_twice(rows):
            return replace(pooled, note="two folds test the same case")
        return replace(pooled, scores=TestScores(rows))
    if len(bounds) == len(folds):
        return replace(pooled, dice=fmean(bounds), note="; ".join([*notes, f"mean of {len(folds)} folds"]))
    if scores or bounds:
        without = [str(fold) for fold, one in folds.items() if one is None or (one.scores is None and one.dice is None)]
        return replace(pooled, note="; ".join([*notes, f"none in fold {', '.join(without)}"]))
    return pooled
