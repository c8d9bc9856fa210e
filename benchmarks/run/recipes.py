"""From finished trials to tuned recipes: the trial with the highest validation Dice of each model.

No file of a test is read. The measure of a trial is `best_val_dice` of its manifests: the validation Dice of the
checkpoint that `zoo test` would take. A trial whose values are not finite counts as a trial without a measure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Any

from benchmarks.plan.job import Job, Plan
from benchmarks.plan.trials import Search, read_values
from benchmarks.run.failure_reasons import has_diverged
from benchmarks.storage import layout
from benchmarks.storage.sealed_tests import check_job_run
from zoo.errors import ConfigError, RunError
from zoo.recipes import read_tuned, recipe_name, write_recipe
from zoo.utils.atomic_files import write_text

MEASURE = "val/dice of the best checkpoint, mean over the seeds"


@dataclass(frozen=True, slots=True)
class Written:
    """What became of the recipe of one model.

    Attributes:
        path: The file of the recipe.
        line: The result in one line.
        missing: Whether there is no recipe.
    """

    path: Path
    line: str
    missing: bool = False


def write_recipes(folder: Path, plan: Plan, search: Search) -> list[Written]:
    """Write one recipe per model, data set and size whose trials are all done.

    Args:
        folder: The folder of the search; the recipes are in its sub-folder `recipes`.
        plan: The trials.
        search: The search.
    """
    by_model: dict[str, list[Job]] = {}
    for job in plan.jobs:
        by_model.setdefault(replace(job, trial=0).method, []).append(job)
    return [_write_one(folder, jobs, search) for jobs in by_model.values()]


def find_diverged(folder: Path, plan: Plan) -> frozenset[str]:
    """Return the ids of the trials whose values were not finite; another attempt would give the same."""
    return frozenset(job.id for job in plan.jobs if _reason_of_divergence(layout.job_folder(folder, job.id)))


def _write_one(folder: Path, jobs: Sequence[Job], search: Search) -> Written:
    first = jobs[0]
    path = folder / "recipes" / recipe_name(first.model, first.data, first.settings.size)
    open_ = [job.id for job in jobs if not _is_decided(folder, job)]
    if open_:
        return Written(path, f"{path.name}: no recipe, {len(open_)} trials are open (the first: {open_[0]})", True)
    try:
        table, manifests = _read_trials(folder, jobs)
        text, line = _make_recipe(first, table, manifests, search)
        _replace(path, text)
    except (RunError, ConfigError) as error:
        return Written(path, f"{path.name}: no recipe: {error}", True)
    return Written(path, f"{path}: {line}")


def _is_decided(folder: Path, job: Job) -> bool:
    run = layout.job_folder(folder, job.id)
    return layout.is_step_done(run, "fit") or bool(_reason_of_divergence(run))


def _reason_of_divergence(run: Path) -> str:
    failure = layout.read_failure(run)
    reason = str((failure or {}).get("reason", ""))
    return reason if has_diverged(reason) and not layout.is_step_done(run, "fit") else ""


def _read_trials(folder: Path, jobs: Iterable[Job]) -> tuple[list[dict[str, Any]], dict[int, Mapping[str, Any]]]:
    """Return the table of the trials, and a manifest of each trial with a measure.

    Raises:
        RunError: A manifest is not what the training wrote, or has no validation Dice.
    """
    trials: dict[int, list[Job]] = {}
    for job in jobs:
        trials.setdefault(job.trial, []).append(job)
    table, manifests = [], {}
    for number, seeds in sorted(trials.items()):
        dices: list[float] = []
        entry: dict[str, Any] = {"trial": number, "values": read_values(seeds[0])}
        for job in sorted(seeds, key=lambda one: one.seed):
            run = layout.job_folder(folder, job.id)
            reason = _reason_of_divergence(run)
            if reason:
                entry["note"] = reason
                continue
            manifest = check_job_run(run, job.id)
            dice = manifest.get("best_val_dice")
            if dice is None:
                raise RunError(
                    f"{run}: the training has no validation Dice.",
                    "A search needs it: leave out --trainer.limit_val_batches.",
                )
            dices.append(float(dice))
            manifests[number] = manifest
        whole = len(dices) == len(seeds)
        table.append(
            entry | {"val_dice": dices, "mean": fmean(dices) if whole else None, "jobs": [j.id for j in seeds]}
        )
        if not whole:
            manifests.pop(number, None)
    return table, manifests


def _make_recipe(
    job: Job, table: Sequence[Mapping[str, Any]], manifests: Mapping[int, Mapping[str, Any]], search: Search
) -> tuple[str, str]:
    """Return the text of a recipe, and its result in one line. Of equal trials the first is taken.

    Raises:
        RunError: No trial has a measure, or the trials had other splits, texts or budgets.
    """
    measured = [trial for trial in table if trial["mean"] is not None]
    if not measured:
        raise RunError(
            "the values of no trial stayed finite.", "Use --space FILE with lower rates, or --trainer.precision 32."
        )
    for key in ("split_hash", "prompt_hash", "data_hash", "budget"):
        if len({repr(manifest.get(key)) for manifest in manifests.values()}) > 1:
            raise RunError(f"its trials have different values of {key}.", "Tune again in a new --out.")
    best = max(measured, key=lambda trial: (trial["mean"], -trial["trial"]))
    manifest = manifests[best["trial"]]
    common = {key: manifest.get(key) for key in ("split_hash", "data_hash")}
    equal = {"budget": manifest.get("budget")} if job.settings.recipe != "published" else {}
    plan = {
        "data": job.shown_data,
        "budget_kind": job.settings.recipe,
        "trainer": job.settings.trainer,
        "overrides": dict(job.settings.overrides),
    }
    tuned = {
        "model": job.model,
        "data": job.data,
        "size": job.settings.size,
        "encoder": job.encoder,
        "measure": MEASURE,
        "trials": search.trials,
        "best": best["trial"],
        "value": best["mean"],
        "search": {**search.to_dict(), **plan, **common, **equal},
        "table": list(table),
        "versions": {
            "zoo": manifest.get("zoo"),
            "git_commit": manifest.get("git_commit"),
            **manifest.get("versions", {}),
        },
    }
    values = best["values"]
    shown = ", ".join(f"{key} {value}" for key, value in values.items())
    line = f"trial {best['trial']} of {search.trials}, validation Dice {best['mean']:.4f} ({shown})"
    title = f"tuned recipe of {job.model} on {job.shown_data} ({job.settings.size}): {line}"
    return write_recipe(title, tuned, {"model": {"init_args": _nest(values.items())}}), line


def _nest(values: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """Return values with dotted names as a mapping of mappings."""
    nested: dict[str, Any] = {}
    for key, value in values:
        *parents, last = key.split(".")
        place = nested
        for parent in parents:
            place = place.setdefault(parent, {})
        place[last] = value
    return nested


def _replace(path: Path, text: str) -> None:
    """Write a recipe. A file that is no unchanged recipe of ours is kept.

    Raises:
        ConfigError: There is such a file.
    """
    if path.is_file() and path.read_text(encoding="utf-8") == text:
        return
    if path.is_file():
        try:
            ours = read_tuned(path) is not None
        except ConfigError:
            ours = False
        if not ours:
            raise ConfigError(f"{path} was changed by hand, and is kept.", "Rename it, and run the same command again.")
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, text, durable=True)


def describe(found: Sequence[Written]) -> Iterator[str]:
    """Yield one line per recipe, and how to use them."""
    yield from (one.line for one in found)
    written = [one for one in found if not one.missing]
    if written:
        yield f"use them with `zoo bench run ... --recipes {written[0].path.parent}` or `zoo fit ... -c FILE`"
