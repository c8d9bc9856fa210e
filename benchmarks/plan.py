"""The plan of a comparison: an immutable list of jobs, stored as `plan.json` in the folder of the benchmark.

A job's id is its readable name and a hash of its resolved configuration, the same on every machine. What is
stored never changes, but for where the data lie: a plan that would change a stored job is refused with the keys
that differ.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from filelock import FileLock

from benchmarks.store import job_folder, manifest, read_json, write_json
from zoo.errors import RunError

PLAN_VERSION = 2

TEXTS = ("true", "shuffled", "blank", "names")
"""The texts that a model which reads text is tested with."""

Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Settings:
    """What all jobs of a plan share.

    Attributes:
        size: "tiny" or "published".
        trainer: Name of a trainer preset, empty for the default.
        devices: Processes a job and node, None for the preset's own number.
        overrides: (key, value) pairs that go to every job: `("trainer.max_steps", "10")`.
        recipe: "equal": every model has the data set's budget; "published": each has its own. Two rankings.
    """

    size: str = ""
    trainer: str = ""
    devices: int | None = None
    overrides: Pairs = ()
    recipe: str = "equal"


@dataclass(frozen=True, slots=True)
class Job:
    """One training with its tests.

    Attributes:
        model: Name of the model.
        data: Name of the data set.
        seed: Seed of everything random.
        root: Folder of the data set, empty for an embedded set or one under `ZOO_DATA`.
        encoder: Name of the text encoder, empty for a text-free model.
        track: The text track: "none" for a text-free model, else that of the data set's card.
        settings: What it shares with the other jobs.
        rung: Name of the ablation, empty for the full method.
        changes: (argument, value) pairs of the model's class that the rung changes.
        about: What the rung is, in words, as its ladder said when it was planned.
        fold: Fold of a k-fold by subject, None for the protocol's own parts.
        folds: How many folds there are, None for the data set's default.
        texts: The texts of its tests, where it reads text.
        overrides: (key, value) pairs beside the settings': those of its data set, and a budget made equal.
        digest: Hash of its resolved configuration but the seed; empty for a job made by hand.
    """

    model: str
    data: str
    seed: int
    root: str = ""
    encoder: str = ""
    track: str = "none"
    settings: Settings = Settings()
    rung: str = ""
    changes: Pairs = ()
    about: str = ""
    fold: int | None = None
    folds: int | None = None
    texts: tuple[str, ...] = TEXTS
    overrides: Pairs = ()
    digest: str = ""

    @property
    def name(self) -> str:
        """What a person calls it: `<data>[-f<fold>]-<model>-<size>[-<encoder>][+<rung>][@published]-s<seed>`."""
        part = "" if self.fold is None else f"f{self.fold}"
        method = "-".join(filter(None, [self.data, part, self.model, self.settings.size, self.encoder]))
        rung = f"+{self.rung}" if self.rung else ""
        recipe = "" if self.settings.recipe == "equal" else f"@{self.settings.recipe}"
        return f"{method}{rung}{recipe}-s{self.seed}"

    @property
    def id(self) -> str:
        """The job's folder: its name and the digest."""
        return f"{self.name}-{self.digest}" if self.digest else self.name

    @property
    def shown_data(self) -> str:
        """How tables name the data: own data by its title too, as any folder of one kind has the kind's name."""
        given = dict((*self.settings.overrides, *self.overrides))
        title = given.get("data.title") or given.get("data.init_args.title")
        return f"{title} ({self.data})" if title else self.data

    @property
    def steps(self) -> tuple[str, ...]:
        """The fit, and one test for each kind of text that there is for the model."""
        texts = ("true",) if self.track == "none" else self.texts
        return ("fit", *("test" if text == "true" else f"test-{text}" for text in texts))

    def typed(self) -> Pairs:
        """What is typed over the composed layers: the encoder, the fold, the overrides, and the rung's changes."""
        changed = dict(self.changes)
        pairs = [("model.encoder", self.encoder)] if self.encoder and "encoder" not in changed else []
        pairs += [("data.fold", str(self.fold))] if self.fold is not None else []
        pairs += [("data.folds", str(self.folds))] if self.folds is not None else []
        own = dict(self.settings.overrides) | dict(self.overrides)
        return (*pairs, *own.items(), *((f"model.{key}", value) for key, value in self.changes))

    def flags(self) -> list[str]:
        """The command line that names this job, the same for each of its steps."""
        shared = self.settings
        flags = ["--model", self.model, "--data", self.data, "--size", shared.size, "--seed", str(self.seed)]
        flags += ["--trainer", shared.trainer] if shared.trainer else []
        flags += ["--trainer.devices", str(shared.devices)] if shared.devices is not None else []
        flags += ["--data.root", self.root] if self.root else []
        return flags + [f"--{key}={value}" for key, value in self.typed()]


@dataclass(frozen=True, slots=True)
class Plan:
    """An immutable list of jobs with distinct ids.

    Attributes:
        jobs: The jobs, in the order in which they are run.
        configs: Digest to resolved configuration, as dotted keys: what a digest stands for.
        matrix: The matrix that the jobs were made from, as its file would say it; empty for a plan made by hand.
    """

    jobs: tuple[Job, ...]
    configs: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    matrix: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Plain Python, for `plan.json`."""
        jobs = [asdict(job) | {"id": job.id} for job in self.jobs]
        return {"version": PLAN_VERSION, "matrix": self.matrix, "jobs": jobs, "configs": self.configs}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Plan:
        """The inverse of `to_dict`."""
        jobs = tuple(_job(entry) for entry in content["jobs"])
        return cls(jobs, content.get("configs", {}), content.get("matrix", {}))


def plan_path(folder: Path) -> Path:
    """Where a benchmark's plan is stored."""
    return folder / "plan.json"


def load_plan(folder: Path) -> Plan:
    """The stored plan of a benchmark.

    Raises:
        RunError: There is none, it cannot be read, or another version of the zoo wrote it.
    """
    path = plan_path(folder)
    if not path.is_file():
        raise RunError(f"{folder}: no benchmark here (no plan.json).", f"Run `zoo bench run ... --out {folder}` first.")
    content = read_json(path)
    if content.get("version") != PLAN_VERSION:
        raise RunError(f"{path}: plan version {content.get('version')}, not {PLAN_VERSION}.", "Use another folder.")
    return Plan.from_dict(content)


def store_plan(folder: Path, plan: Plan, *, extend: bool = True) -> Plan:
    """Stores a plan in a folder and returns the whole; what is stored already never changes.

    Args:
        folder: The benchmark's folder.
        plan: The plan.
        extend: Whether jobs may be added to those that are stored.

    Raises:
        RunError: The stored plan has other settings, another configuration of one of the jobs, another root for one
            of the data sets, or other jobs where none may be added; or the folder cannot be written.
    """
    with _locked(folder):
        before = load_plan(folder) if plan_path(folder).is_file() else Plan(())
        stored, plan = _moved(folder, before, plan)
        differing = _differences(stored, plan)
        if stored.jobs and not extend:
            differing = differing or _other_jobs(stored, plan)
        if differing:
            raise RunError(
                f"{folder} holds another benchmark; it differs in {'; '.join(differing)}.",
                "Use the same settings or another --out."
                if extend
                else "Use the same plan or another --out; --extend adds jobs.",
            )
        jobs = {job.id: job for job in (*stored.jobs, *plan.jobs)} | {job.id: job for job in stored.jobs}
        whole = Plan(tuple(jobs.values()), {**plan.configs, **stored.configs}, stored.matrix or plan.matrix)
        if whole.jobs != before.jobs:
            write_json(plan_path(folder), whole.to_dict())
    return whole


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """A folder, made if need be, whose plan nobody else changes meanwhile.

    Raises:
        RunError: It cannot be written.
    """
    lock = FileLock(folder / ".plan.lock")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except OSError as error:
        raise RunError(f"{folder}: cannot be written: {error.strerror}.", "Choose another --out.") from error
    try:
        yield
    finally:
        lock.release()


def where_data_lie(folder: Path, plan: Plan) -> Plan:
    """A plan as it would go into a folder: with the data's folders that are stored there, where it names none."""
    return _moved(folder, load_plan(folder) if plan_path(folder).is_file() else Plan(()), plan)[1]


def _moved(folder: Path, stored: Plan, added: Plan) -> tuple[Plan, Plan]:
    """Both plans with the folders that the data lie in now.

    Where a command names no folder, the stored one is meant. Another one takes its place where the stored one is no
    longer there (another machine, a disk mounted elsewhere) or nothing was trained from it (a slip that was mended).
    """
    named = {job.data: job.root for job in added.jobs if job.root}
    begun = {job.data for job in stored.jobs if manifest(job_folder(folder, job.id))}
    kept = {job.data: job.root for job in stored.jobs if job.data in begun and Path(job.root or os.devnull).is_dir()}
    roots = {job.data: job.root for job in stored.jobs} | named

    def rooted(plan: Plan, of: Mapping[str, str]) -> Plan:
        return replace(plan, jobs=tuple(replace(job, root=of.get(job.data, job.root)) for job in plan.jobs))

    return rooted(stored, roots | kept), rooted(added, roots)


def _differences(stored: Plan, added: Plan) -> list[str]:
    """What stands in the way of one table, as `key: stored, not added`."""
    if not stored.jobs or not added.jobs:
        return []
    old, new = (asdict(plan.jobs[0].settings) | {"recipe": ""} for plan in (stored, added))  # both may stand in one
    lines = [f"{key}: {_show(old[key])}, not {_show(new[key])}" for key in old if old[key] != new[key]]
    roots = {job.data: job.root for job in stored.jobs}
    moved = {job.data: job.root for job in added.jobs if roots.get(job.data, job.root) != job.root}
    lines += [f"data.root of {name}: {_show(roots[name])}, not {_show(root)}" for name, root in moved.items()]
    rungs = {(job.model, job.rung): job.changes for job in stored.jobs}
    for (model, rung), changes in {(job.model, job.rung): job.changes for job in added.jobs}.items():
        before = rungs.get((model, rung), changes)
        if before != changes:
            lines.append(f"rung {rung} of {model}: {_show(dict(before))}, not {_show(dict(changes))}")
    return lines or _other_configs(stored, added)


def _other_configs(stored: Plan, added: Plan) -> list[str]:
    """The keys of the jobs that bear a stored job's name and are another: a card or a recipe was changed since."""
    digests = {job.name: job.digest for job in stored.jobs}
    changed = {(digests.get(job.name, job.digest), job.digest): job.name for job in added.jobs}
    names: dict[str, list[str]] = {}
    for (old, new), name in changed.items():
        before, after = stored.configs.get(old, {}), added.configs.get(new, {})
        for key in sorted(before.keys() | after.keys()) if old != new else ():
            if before.get(key) != after.get(key):
                names.setdefault(f"{key}: {_show(before.get(key))}, not {_show(after.get(key))}", []).append(name)
    of = {line: some[0] if len(some) == 1 else f"{some[0]} and {len(some) - 1} more" for line, some in names.items()}
    return [f"{line} (of {of[line]})" for line in list(names)[:8]]


def _other_jobs(stored: Plan, added: Plan) -> list[str]:
    """The keys of the matrix in which two plans with other jobs differ."""
    old, new = {job.id for job in stored.jobs}, {job.id for job in added.jobs}
    if old == new:
        return []
    before, after = stored.matrix, json.loads(json.dumps(added.matrix))
    keys = [key for key in before.keys() | after.keys() if before.get(key) != after.get(key)]
    lines = [f"{key}: {_show(before.get(key))}, not {_show(after.get(key))}" for key in sorted(keys)]
    return lines or [f"the jobs: {len(new - old)} are new, {len(old - new)} are missing"]


def _show(value: object) -> str:
    return json.dumps(value) if value not in ("", None, (), [], {}) else "(not set)"


def _job(entry: Mapping[str, Any]) -> Job:
    fields = {key: value for key, value in entry.items() if key not in {"id", "settings"}}
    for key in ("changes", "overrides"):
        fields[key] = _pairs(entry.get(key, ()))
    fields["texts"] = tuple(entry.get("texts", TEXTS))
    settings = dict(entry["settings"])
    settings["overrides"] = _pairs(settings["overrides"])
    return Job(**fields, settings=Settings(**settings))


def _pairs(entries: Sequence[Sequence[str]]) -> Pairs:
    return tuple((key, value) for key, value in entries)
