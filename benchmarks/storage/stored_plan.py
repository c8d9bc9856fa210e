"""The plan in the folder of a benchmark, `plan.json`.

A stored job never changes, except for the folder of its data. A plan that would change a stored job is refused, and the
error names the keys that differ.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path

from filelock import FileLock

from benchmarks.plan.job import PLAN_VERSION, READABLE_VERSIONS, TEXTS, Job, Plan
from benchmarks.storage.layout import job_folder, read_manifest, read_sealed, write_sealed
from zoo.errors import RunError

_RESTORE = (
    "Restore the file from a copy; or remove it, and run the same `zoo bench run` again, which keeps what is done."
)


def plan_path(folder: Path) -> Path:
    """Return the path of the plan of a benchmark."""
    return folder / "plan.json"


def load_plan(folder: Path) -> Plan:
    """Read the plan of a benchmark.

    Raises:
        RunError: There is no plan, it cannot be read, or another version of the zoo has written it.
    """
    path = plan_path(folder)
    if not path.is_file():
        raise RunError(f"{folder}: no benchmark here (no plan.json).", f"Run `zoo bench run ... --out {folder}` first.")
    content = read_sealed(path, _RESTORE)
    if content.get("version") not in READABLE_VERSIONS:
        version = content.get("version")
        raise RunError(f"{path}: the plan has version {version}, not {PLAN_VERSION}.", "Use another folder.")
    try:
        return Plan.from_dict(content)
    except (KeyError, TypeError, ValueError, AttributeError) as error:  # a newer zoo, or a file of something else
        reason = f"it lacks {error}" if isinstance(error, KeyError) else str(error)
        raise RunError(f"{path}: not the plan of a benchmark: {reason}.", "Use another folder.") from error


def refuse_trials(folder: Path, plan: Plan) -> None:
    """Refuse the trials of `zoo bench tune` where results of tests are read.

    Raises:
        RunError: The plan is a search.
    """
    if plan.is_search:
        raise RunError(
            f"{folder}: the trials of `zoo bench tune`, which have no test scores.",
            f"Compare the models with their recipes: `zoo bench run ... --recipes {folder / 'recipes'} --out OTHER`.",
        )


def store_plan(folder: Path, plan: Plan, *, extend: bool = True) -> Plan:
    """Add a plan to the stored plan of a folder, and return both together.

    Args:
        folder: The folder of the benchmark.
        plan: The plan.
        extend: Whether the plan may add jobs, and texts of tests, to the stored plan.

    Raises:
        RunError: The stored plan has other settings, another configuration of a job, another folder of a data set, or
            other jobs although none may be added; or the folder cannot be written.
    """
    with _lock_plan(folder):
        before = _load_or_empty(folder)
        stored, plan = _with_data_folders(folder, before, plan)
        differing = _differences(stored, plan)
        if stored.jobs and not extend:
            differing = differing or _other_jobs(stored, plan)
        if differing:
            raise RunError(
                f"{folder} holds another benchmark; it differs in {'; '.join(differing)}.",
                "Use the same settings or another --out."
                if extend
                else "Use the same plan or another --out; --extend adds jobs and texts.",
            )
        jobs = {job.id: job for job in (*stored.jobs, *plan.jobs)} | _renew_jobs(stored, plan)
        notes = tuple(dict.fromkeys((*stored.notes, *plan.notes)))
        merged = Plan(tuple(jobs.values()), {**plan.configs, **stored.configs}, stored.matrix or plan.matrix, notes)
        if (merged.jobs, merged.notes) != (before.jobs, before.notes):
            write_sealed(plan_path(folder), merged.to_dict())
    return merged


@contextmanager
def _lock_plan(folder: Path) -> Iterator[None]:
    """Make the folder if it is missing, and keep other processes from its plan until the context ends.

    Raises:
        RunError: The folder cannot be written.
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


def _load_or_empty(folder: Path) -> Plan:
    """Return the stored plan, or a plan without jobs."""
    return load_plan(folder) if plan_path(folder).is_file() else Plan(())


def with_stored_folders(folder: Path, plan: Plan) -> Plan:
    """Return a plan with the stored folder of each data set without a folder of its own."""
    return _with_data_folders(folder, _load_or_empty(folder), plan)[1]


def _with_data_folders(folder: Path, stored: Plan, added: Plan) -> tuple[Plan, Plan]:
    """Return both plans with the present folder of each data set.

    Where a command names no folder, the stored folder holds. A new folder replaces a stored folder that no longer
    exists (another machine, another mount point), or from which no job was trained (a corrected mistake).
    """
    given = {job.data: job.root for job in added.jobs if job.root}
    begun = {job.data for job in stored.jobs if read_manifest(job_folder(folder, job.id))}
    kept = {job.data: job.root for job in stored.jobs if job.data in begun and Path(job.root or os.devnull).is_dir()}
    roots = {job.data: job.root for job in stored.jobs} | given

    def rooted(plan: Plan, of: Mapping[str, str]) -> Plan:
        return replace(plan, jobs=tuple(replace(job, root=of.get(job.data, job.root)) for job in plan.jobs))

    return rooted(stored, roots | kept), rooted(added, roots)


def _differences(stored: Plan, added: Plan) -> list[str]:
    """Return the settings that prevent one common table, as `key: stored, not added`."""
    if not stored.jobs or not added.jobs:
        return []
    old, new = (asdict(plan.jobs[0].settings) | {"recipe": ""} for plan in (stored, added))  # a plan may have both
    lines = [f"{key}: {_show(old[key])}, not {_show(new[key])}" for key in old if old[key] != new[key]]
    roots = {job.data: job.root for job in stored.jobs}
    moved = {job.data: job.root for job in added.jobs if roots.get(job.data, job.root) != job.root}
    lines += [f"data.root of {name}: {_show(roots[name])}, not {_show(root)}" for name, root in moved.items()]
    lines += _other_kind(stored, added)
    variants = {_name_changes(job): job.changes for job in stored.jobs}
    for name, changes in {_name_changes(job): job.changes for job in added.jobs}.items():
        before = variants.get(name, changes)
        if before != changes:
            lines.append(f"{name}: {_show(dict(before))}, not {_show(dict(changes))}")
    return lines or _other_configs(stored, added)


def _other_kind(stored: Plan, added: Plan) -> list[str]:
    """Return a line where one plan has the trials of `zoo bench tune` and the other the jobs of a comparison."""
    kinds = ["trials" if plan.is_search else "a comparison" for plan in (stored, added)]
    return [f"its jobs: {kinds[0]}, not {kinds[1]}"] if kinds[0] != kinds[1] else []


def _name_changes(job: Job) -> str:
    """Name what changes the model of a job."""
    return f"trial {job.trial} of {job.model} on {job.data}" if job.trial else f"variant {job.variant} of {job.model}"


def _other_configs(stored: Plan, added: Plan) -> list[str]:
    """Return the configuration keys in which jobs of the same name differ: a card or a recipe has changed since."""
    digests = {job.method: job.digest for job in stored.jobs}  # all seeds of a row have one configuration
    changed = {(digests.get(job.method, job.digest), job.digest): job.name for job in added.jobs}
    names: dict[str, list[str]] = {}
    for (old, new), name in changed.items():
        before, after = stored.configs.get(old, {}), added.configs.get(new, {})
        for key in sorted(before.keys() | after.keys()) if old != new else ():
            if before.get(key) != after.get(key):
                names.setdefault(f"{key}: {_show(before.get(key))}, not {_show(after.get(key))}", []).append(name)
    of = {line: some[0] if len(some) == 1 else f"{some[0]} and {len(some) - 1} more" for line, some in names.items()}
    return [f"{line} (of {of[line]})" for line in list(names)[:8]]


def _other_jobs(stored: Plan, added: Plan) -> list[str]:
    """Return the keys of the matrix in which two plans with other jobs or other tests differ."""
    old, new = ({job.id: job.steps for job in plan.jobs} for plan in (stored, added))
    if old == new:
        return []
    before, after = stored.matrix, json.loads(json.dumps(added.matrix))
    keys = [key for key in before.keys() | after.keys() if before.get(key) != after.get(key)]
    lines = [f"{key}: {_show(before.get(key))}, not {_show(after.get(key))}" for key in sorted(keys)]
    return lines or [f"the jobs: {len(new.keys() - old.keys())} are new, {len(old.keys() - new.keys())} are missing"]


def _renew_jobs(stored: Plan, added: Plan) -> dict[str, Job]:
    """Return the stored jobs by id, with the texts and the place of the card that the added plan gives."""
    renewed = {job.id: job for job in stored.jobs}
    for job in added.jobs:
        if job.id in renewed:
            texts = {*renewed[job.id].texts, *job.texts}
            renewed[job.id] = replace(
                renewed[job.id], texts=tuple(text for text in TEXTS if text in texts), source=job.source
            )
    return renewed


def _show(value: object) -> str:
    return json.dumps(value) if value not in ("", None, (), [], {}) else "(not set)"
