"""Several folders read as one benchmark: run folders of `zoo fit` and `zoo test`, and folders of `zoo bench run`.

A row of single runs has one configuration: runs that differ in seed and fold alone are its seeds and folds. What is no
complete result is left out and named.
"""

from __future__ import annotations

import glob
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.plan.job import TEXTS, Job, Settings
from benchmarks.storage import layout
from benchmarks.storage.results import Benchmark, Control, JobResult, read_benchmark, read_run
from benchmarks.storage.scored import is_benchmark, refuse_twice
from benchmarks.storage.stored_plan import load_plan, plan_path
from zoo.config import identity
from zoo.engine.run_folder import RunFolder
from zoo.errors import RunError
from zoo.utils.hashing import hash_json

_OF_SEED = ("seed_everything", "data.init_args.fold", "data.init_args.text")
"""Keys in which the runs of one row may differ."""

_FIX = "Give folders of `zoo bench run`, or of `zoo fit` and `zoo test`."

_SHOWN = 3  # differing options in the label of a row


def read_folders(paths: Sequence[Path]) -> Benchmark:
    """Read folders as one benchmark.

    Args:
        paths: Folders of benchmarks, run folders, folders that contain run folders, and glob patterns.

    Raises:
        RunError: A folder does not exist, no folder has a result, two folders have the same training, or a file cannot
            be read.
    """
    folders = expand_paths(paths)
    if len(folders) == 1 and is_benchmark(folders[0]):
        return read_benchmark(folders[0])
    benchmarks, runs, configs, notes = [], [], {}, []
    for folder in folders:
        inside = [folder] if is_benchmark(folder) or _is_run(folder) else sorted(_find_runs(folder))
        notes += [] if inside else [f"Left out: {folder}: no benchmark here (no plan.json), and no run below it."]
        for run in inside:
            if plan_path(run).is_file() and load_plan(run).is_search:
                notes.append(f"Left out: {run}: the trials of `zoo bench tune`, which have no test scores.")
                continue
            if is_benchmark(run):
                benchmarks.append(_with_shown_names(read_benchmark(run)))
                continue
            lacking = _find_lack(run)
            if lacking:
                notes.append(f"Left out: {run} {lacking}")
                continue
            result, configs[run] = _read_single_run(run)
            runs.append(result)
    results = [result for one in benchmarks for result in _with_trainings(one.results, configs)]
    results = _refuse_twice([*results, *runs])
    scored = refuse_twice(part for one in benchmarks for part in one.scored)
    notes = [*(note for one in benchmarks for note in one.notes), *notes]
    if not results and not scored:
        raise RunError(" ".join(notes), _FIX)
    return Benchmark(
        tuple(sorted(_with_options(results, configs), key=lambda one: one.job.id)),
        _distinct_controls(control for one in benchmarks for control in one.controls),
        {key: cost for one in benchmarks for key, cost in one.costs.items()},
        tuple(notes),
        scored,
    )


def _with_shown_names(benchmark: Benchmark) -> Benchmark:
    """Name the data of the controls as tables do: two benchmarks may have other own data of one kind."""
    shown = {result.job.data: result.job.shown_data for result in benchmark.results}
    return replace(benchmark, controls=tuple(replace(one, data=shown[one.data]) for one in benchmark.controls))


def expand_paths(paths: Sequence[Path]) -> list[Path]:
    """Return each existing path once, and what each pattern matches that the shell has left alone.

    Raises:
        RunError: A path does not exist, or a pattern matches nothing.
    """
    found: dict[Path, Path] = {}
    for path in paths:
        matching = [path] if path.exists() else []
        if not matching and glob.has_magic(str(path)):
            matching = [Path(one) for one in sorted(glob.glob(str(path), recursive=True))]  # noqa: PTH207 - may be absolute
        if not matching:
            raise RunError(f"{path}: no benchmark here, and no run: nothing has this name.", _FIX)
        for one in matching:
            found.setdefault(one.resolve(), one)
    return list(found.values())


def _is_run(folder: Path) -> bool:
    run = RunFolder(folder)
    return run.config.is_file() or run.manifest.is_file()


def _find_runs(folder: Path) -> Iterator[Path]:
    """Yield the runs and benchmarks below a folder; what is below a run is part of it."""
    for child in folder.iterdir() if folder.is_dir() else ():
        if child.is_dir() and (_is_run(child) or is_benchmark(child)):
            yield child
        elif child.is_dir() and not child.is_symlink():
            yield from _find_runs(child)


def _find_lack(run: Path) -> str:
    """Return what a run lacks, and the command that makes it; empty for a complete run."""
    folder = RunFolder(run)
    if not folder.config.is_file() or not folder.manifest.is_file():
        return f"has no config.yaml and manifest.json of one run. Train it with `zoo fit ... --out {run}`."
    if not layout.is_step_done(run, "fit"):
        return f"is not trained to its end. Run the same `zoo fit ... --out {run}` again."
    if not layout.is_step_done(run, layout.TRUE_TEXT_STEP):
        return f"has no test scores. Run `zoo test --out {run}`."
    try:
        folder.read_config()
    except RunError as error:  # an older version has written it
        return f"cannot be read: {error}"
    return ""


def _read_single_run(run: Path) -> tuple[JobResult, dict[str, Any]]:
    """Read a run folder as a job, and the identity of its configuration."""
    folder = RunFolder(run)
    manifest, config = folder.read_manifest(), identity(folder.read_config())
    track = str(manifest.get("text_track") or "none")
    training = _hash_training(config)
    tuned = manifest.get("tuned") or layout.read_status(run).get("tuned") or {}
    title = manifest.get("data_title") or config.get("data.init_args.title")
    job = Job(
        model=str(manifest.get("model") or ""),
        data=str(manifest.get("data") or ""),
        seed=int(manifest.get("seed") or 0),
        encoder=str(manifest.get("encoder") or "") if track != "none" else "",
        track=track,
        settings=Settings(size=str(manifest.get("size") or "")),
        fold=config.get("data.init_args.fold"),
        folds=config.get("data.init_args.folds"),
        texts=tuple(text for text in TEXTS if layout.is_step_done(run, _step_of(text))),
        overrides=(("data.title", str(title)),) if title else (),
        digest=training[:8],
        tuned=int(tuned.get("trials", 0)),
        search=str(tuned.get("search", "")),
    )
    return replace(read_run(run, job), training=training), config


def _step_of(text: str) -> str:
    return layout.TRUE_TEXT_STEP if text == "true" else f"{layout.TRUE_TEXT_STEP}-{text}"


def _hash_training(config: Mapping[str, Any]) -> str:
    return hash_json({key: value for key, value in config.items() if key not in _OF_SEED})


def _with_trainings(results: Iterable[JobResult], configs: dict[Path, dict[str, Any]]) -> list[JobResult]:
    """Give the results of a benchmark the hashes that single runs have; variants have that of their full method."""
    results = list(results)
    known: dict[str, str] = {}
    for result in results:
        if not result.job.variant and RunFolder(result.folder).config.is_file():
            config = configs[result.folder] = identity(RunFolder(result.folder).read_config())
            known.setdefault(_name_full_method(result.job), _hash_training(config))
    names = [_name_full_method(result.job) for result in results]
    return [replace(one, training=known.get(name, name)) for one, name in zip(results, names, strict=True)]


def _name_full_method(job: Job) -> str:
    return replace(job, variant="", fold=None).method


def _refuse_twice(results: Sequence[JobResult]) -> list[JobResult]:
    """Return each training once: one that is done replaces one that is not.

    Raises:
        RunError: Two folders have the same training, seed and fold.
    """
    found: dict[tuple[object, ...], JobResult] = {}
    for result in results:
        job = result.job
        key = (result.training, job.variant, job.settings.recipe, job.seed, job.fold)
        other = found.setdefault(key, result)
        if other is result or result.state != "done" or other.folder.resolve() == result.folder.resolve():
            continue
        if other.state == "done":
            raise RunError(
                f"{other.folder} and {result.folder} have the same configuration and seed.", "Give only one of them."
            )
        found[key] = result
    return list(found.values())


def _with_options(results: Sequence[JobResult], configs: Mapping[Path, Mapping[str, Any]]) -> list[JobResult]:
    """Give the rows of one model on one data set the options in which they differ."""
    kinds: dict[tuple[str, ...], dict[str, Mapping[str, Any]]] = {}
    for result in results:
        configurations = kinds.setdefault(_kind(result), {})
        configurations.setdefault(result.training, configs.get(result.folder, {}))
    return [
        replace(one, options=_describe_options(one.training, kinds[_kind(one)])) if one.training else one
        for one in results
    ]


def _kind(result: JobResult) -> tuple[str, ...]:
    """Return what the label of a row has."""
    job = result.job
    return (job.shown_data, job.model, job.settings.size, job.settings.recipe)


def _describe_options(training: str, configurations: Mapping[str, Mapping[str, Any]]) -> str:
    """Describe how a configuration differs from those of the other rows; empty for a single row."""
    keys = sorted(
        {key for config in configurations.values() for key in config} - {*_OF_SEED, "model.init_args.encoder"}
    )
    mine = configurations[training]
    differing = [key for key in keys if len({hash_json(one.get(key)) for one in configurations.values()}) > 1]
    texts = [f"{key.replace('.init_args', '')}={mine.get(key)}" for key in differing]
    more = [f"configuration {training[:8]}"] if len(texts) > _SHOWN else []
    return ", ".join([*texts[:_SHOWN], *more])


def _distinct_controls(controls: Iterable[Control]) -> tuple[Control, ...]:
    """Return each control once; that of another split stays beside it."""
    found: dict[tuple[object, ...], Control] = {}
    for one in controls:
        found.setdefault((one.data, one.name, one.split_hash, one.metric_version, one.folds, one.note), one)
    return tuple(found[key] for key in sorted(found, key=str))
