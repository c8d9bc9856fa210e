"""Writes the entries of a benchmark for a leaderboard that others can join (`zoo bench submit`)."""

from __future__ import annotations

import json
import shutil
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from benchmarks.plan.job import Job, Plan
from benchmarks.storage.layout import TRUE_TEXT_STEP, job_folder, skipped_path, write_json, write_sealed
from benchmarks.storage.results import Benchmark, JobResult
from benchmarks.storage.stored_plan import plan_path
from benchmarks.submissions.card import write_card
from benchmarks.submissions.folder import IMAGES, SUBMISSION, VERSION
from datamodules.acquire.sources import load_source
from datamodules.index.card import DataCard
from zoo import __version__
from zoo.engine.run_folder import RunFolder
from zoo.errors import ConfigError, RunError
from zoo.metrics.score_files import write_scores
from zoo.publishing import Publish, find_terms
from zoo.registry import DATA
from zoo.sharing.facts import publish_manifest, without_machine
from zoo.utils.atomic_files import new_folder, write_text
from zoo.utils.safe_text import to_file_name
from zoo.utils.seals import FILES, SEAL, add_seal, hash_file


@dataclass(frozen=True, slots=True)
class EntryOptions:
    """The options of `zoo bench submit`.

    Attributes:
        name: The name of the entry; empty for that of the method.
        images_at: Where the label images lie, if they are not in the entry: an address.
        permitted: Kinds of content of which the user says that the terms of the data allow them.
    """

    name: str = ""
    images_at: str = ""
    permitted: Collection[str] = ()


def write_entries(benchmark: Benchmark, board: Path, options: EntryOptions) -> tuple[list[Path], list[str]]:
    """Write one entry per row of a benchmark.

    Args:
        benchmark: The benchmark.
        board: The folder of the leaderboard.
        options: The options of the command.

    Returns:
        The folders, and notes on what was left out, one line each.

    Raises:
        RunError: No job is done, a result was damaged, or an entry is there already.
        ConfigError: The data are the user's own, or their terms forbid what is wanted.
    """
    groups, notes = _group_results(benchmark.results)
    if not groups:
        raise RunError("No row of the benchmark is complete.", "Run `zoo bench run` to its end first.")
    if options.name and len(groups) > 1:
        raise ConfigError(
            f"--name {options.name}: there are {len(groups)} rows.", "Leave out --name, or submit one model."
        )
    written = []
    for results in groups:
        folder, left_out = _write_entry(results, board, options)
        written.append(folder)
        notes += [f"{folder.name}: {line}" for line in left_out]
    return written, notes


def _group_results(results: Iterable[JobResult]) -> tuple[list[list[JobResult]], list[str]]:
    """Return the results of each row, with its seeds and folds, and notes on those that are left out."""
    groups: dict[str, list[JobResult]] = {}
    notes = []
    for result in results:
        if result.job.variant:
            notes.append(f"{result.name} is left out: a variant is never ranked.")
            continue
        groups.setdefault(replace(result.job, fold=None, seed=0).method, []).append(result)
    complete = []
    for method, ones in groups.items():
        damaged = next((one.refusal for one in ones if one.refusal), "")
        if not damaged and any(one.state == "done" and not one.sealed for one in ones):
            damaged = f"{ones[0].name}: an older version of the zoo wrote the scores: they have no seals."
        if damaged:
            raise RunError(damaged, "Run the same `zoo bench run` again.")
        if all(one.state == "done" for one in ones):
            complete.append(ones)
        else:
            notes.append(f"{method} is left out: not all of its jobs are done.")
    return complete, notes


def _write_entry(results: Sequence[JobResult], board: Path, options: EntryOptions) -> tuple[Path, list[str]]:
    job = results[0].job
    terms = _find_terms(results, options)
    method = "-".join(filter(None, [job.model, job.settings.size, job.encoder, job.settings.recipe, job.digest]))
    name = to_file_name(options.name or method)
    protocol = _name_protocol(results)
    target = board / job.data / protocol / name
    if target.exists():
        raise RunError(f"{target}: an entry of this name is there already.", "Choose another --name.")
    with new_folder(target, "Choose another --to.") as unfinished:
        notes, images = _fill(unfinished, results, terms, options)
        facts: dict[str, Any] = {
            "name": name,
            "data": job.data,
            "protocol": protocol,
            "model": job.model,
            "size": job.settings.size,
        }
        facts |= {key: results[0].manifest.get(key) for key in ("text_track", "metric_version", "git_commit")}
        facts |= {"pretrained_vision": results[0].manifest.get("pretrained_vision") or ""}
        facts |= {"has_rows": terms.allows("rows"), IMAGES: images, "left_out": notes}
        write_text(unfinished / "README.md", write_card(facts, results))
        files = {
            str(one.relative_to(unfinished)): hash_file(one) for one in sorted(unfinished.rglob("*")) if one.is_file()
        }
        content = {"version": VERSION, "zoo": __version__, **facts, "publish": terms.to_dict(), FILES: files}
        write_sealed(unfinished / SUBMISSION, content)
    return target, notes


def _find_terms(results: Sequence[JobResult], options: EntryOptions) -> Publish:
    """Return what may be published.

    Raises:
        ConfigError: The data set is the user's own, so that nobody else can compare with it; or a kind is forbidden.
    """
    data = results[0].job.data
    hashed = results[0].manifest.get("data_hash")  # a published set may have one as well, of its list of classes
    if data not in DATA or (hashed and load_source(DataCard.of(DATA.get(data))) is None):
        raise ConfigError(f"{data}: your own data.", "Submit results on a data set with a protocol: `zoo list data`.")
    return find_terms(data).permit(options.permitted, data)


def _name_protocol(results: Sequence[JobResult]) -> str:
    """Return the protocol; of a k-fold also the number of folds."""
    job = results[0].job
    card = DataCard.of(DATA.get(job.data))
    given = (RunFolder(results[0].folder).read_config().get("data") or {}).get("init_args") or {}
    if given.get("split"):
        raise ConfigError(f"{job.data}: splits of a file of yours.", "Submit results on a protocol of the card.")
    protocol = card.known_protocol(given.get("protocol"))
    folds = results[0].tests[TRUE_TEXT_STEP].about.get("folds") if job.fold is not None else None
    return f"{protocol}-{folds}fold" if folds else protocol


def _fill(
    folder: Path, results: Sequence[JobResult], terms: Publish, options: EntryOptions
) -> tuple[list[str], dict[str, Any]]:
    """Write the jobs and label images of an entry; return notes, and what is known of the label images."""
    data = results[0].job.data
    jobs = tuple(_without_paths(result.job) for result in results)
    write_sealed(plan_path(folder), Plan(jobs).to_dict())
    notes = []
    for result, job in zip(results, jobs, strict=True):
        run = job_folder(folder, job.id)
        run.mkdir(parents=True)
        seal = _write_run(run, result)
        if terms.allows("rows"):
            _write_tests(run, result, seal)
    if not terms.allows("rows"):
        notes.append(terms.explain("rows", data))
        means = {one.job.id: {step: asdict(test.summary) for step, test in one.tests.items()} for one in results}
        write_json(folder / "means.json", json.loads(json.dumps(means)))
    found = {result.job.id: _list_images(result) for result in results}
    if not all(found.values()):
        notes.append("label images are left out: not every job has any; `zoo predict --out RUN` writes those of a run.")
        return notes, {}
    hashes = {job: {path.name: hash_file(path) for path in paths} for job, paths in found.items()}
    if options.images_at:
        return notes, {"place": options.images_at, FILES: hashes}
    if not terms.allows("images"):
        notes.append(f"label {terms.explain('images', data)}")
        return notes, {"place": "", FILES: hashes}
    for job_id, paths in found.items():
        (folder / IMAGES / job_id).mkdir(parents=True)
        for path in paths:
            shutil.copyfile(path, folder / IMAGES / job_id / path.name)
    return notes, {"place": IMAGES, FILES: hashes}


def _list_images(result: JobResult) -> list[Path]:
    folder = RunFolder(result.folder).predictions("true")
    return sorted(one for one in folder.iterdir() if one.is_file()) if folder.is_dir() else []


def _without_paths(job: Job) -> Job:
    return replace(job, root="", source=Path(job.source).name if job.source else "")


def _write_run(run: Path, result: JobResult) -> str:
    """Write the configuration and the manifest of a run without the paths of its machine; return the new seal."""
    source = RunFolder(result.folder)
    config = run / source.config.name
    write_text(config, yaml.safe_dump(without_machine(source.read_config()), sort_keys=False, allow_unicode=True))
    kept: Mapping[str, Any] = result.manifest
    files = {**kept.get(FILES, {}), config.name: hash_file(config)}
    manifest = add_seal(
        {**publish_manifest(kept), "folder": result.job.id, "submitted_run": kept.get(SEAL), FILES: files}
    )
    write_json(run / source.manifest.name, manifest)
    return str(manifest[SEAL])


def _write_tests(run: Path, result: JobResult, seal: str) -> None:
    for step, test in result.tests.items():
        config = hash_file(run / "config.yaml")
        files = {key: value for key, value in test.about.get(FILES, {}).items() if key != "cases.csv"}
        about = {key: value for key, value in test.about.items() if key != SEAL}
        about |= {"run": seal, FILES: {**files, "config.yaml": config}}
        write_scores(run / step / "cases.csv", test.rows, about)
    for step in result.job.steps:
        if step != "fit" and step not in result.tests:
            target = skipped_path(run, step)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(skipped_path(result.folder, step), target)
