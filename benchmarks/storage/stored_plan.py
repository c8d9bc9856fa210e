"""A plan in the folder of its benchmark, as `plan.json`.

What is stored never changes, but for where the data lie: a plan that would change a stored job is refused with the
keys that differ.
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
from benchmarks.storage.layout import job_folder, read_json, read_manifest, write_json
from zoo.errors import RunError


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
    if content.get("version") not in READABLE_VERSIONS:
        raise RunError(f"{path}: plan version {content.get('version')}, not {PLAN_VERSION}.", "Use another folder.")
    return Plan.from_dict(content)


def store_plan(folder: Path, plan: Plan, *, extend: bool = True) -> Plan:
    """Stores a plan in a folder and returns the whole; what is stored already never changes.

    Args:
        folder: The benchmark's folder.
        plan: The plan.
        extend: Whether jobs, and texts to test one with, may be added to those that are stored.

    Raises:
        RunError: The stored plan has other settings, another configuration of one of the jobs, another root for one
            of the data sets, or other jobs where none may be added; or the folder cannot be written.
    """
    with _locked(folder):
        before = _stored(folder)
        stored, plan = _moved(folder, before, plan)
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
        jobs = {job.id: job for job in (*stored.jobs, *plan.jobs)} | _with_texts(stored, plan)
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


def _stored(folder: Path) -> Plan:
    """What is stored; no jobs where nothing is yet."""
    return load_plan(folder) if plan_path(folder).is_file() else Plan(())


def where_data_lie(folder: Path, plan: Plan) -> Plan:
    """A plan as it would go into a folder: with the data's folders that are stored there, where it names none."""
    return _moved(folder, _stored(folder), plan)[1]


def _moved(folder: Path, stored: Plan, added: Plan) -> tuple[Plan, Plan]:
    """Both plans with the folders that the data lie in now.

    Where a command names no folder, the stored one is meant. Another one takes its place where the stored one is no
    longer there (another machine, a disk mounted elsewhere) or nothing was trained from it (a slip that was mended).
    """
    named = {job.data: job.root for job in added.jobs if job.root}
    begun = {job.data for job in stored.jobs if read_manifest(job_folder(folder, job.id))}
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
    variants = {(job.model, job.variant): job.changes for job in stored.jobs}
    for (model, variant), changes in {(job.model, job.variant): job.changes for job in added.jobs}.items():
        before = variants.get((model, variant), changes)
        if before != changes:
            lines.append(f"variant {variant} of {model}: {_show(dict(before))}, not {_show(dict(changes))}")
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
    """The keys of the matrix in which two plans with other jobs, or other tests of them, differ."""
    old, new = ({job.id: job.steps for job in plan.jobs} for plan in (stored, added))
    if old == new:
        return []
    before, after = stored.matrix, json.loads(json.dumps(added.matrix))
    keys = [key for key in before.keys() | after.keys() if before.get(key) != after.get(key)]
    lines = [f"{key}: {_show(before.get(key))}, not {_show(after.get(key))}" for key in sorted(keys)]
    return lines or [f"the jobs: {len(new.keys() - old.keys())} are new, {len(old.keys() - new.keys())} are missing"]


def _with_texts(stored: Plan, added: Plan) -> dict[str, Job]:
    """The stored jobs by their ids, with the texts that a plan tests them with beside their own."""
    wanted = {job.id: job.texts for job in added.jobs}
    return {
        job.id: replace(job, texts=tuple(text for text in TEXTS if text in (*job.texts, *wanted.get(job.id, ()))))
        for job in stored.jobs
    }


def _show(value: object) -> str:
    return json.dumps(value) if value not in ("", None, (), [], {}) else "(not set)"
