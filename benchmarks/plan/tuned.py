"""The tuned recipes that a plan uses: the folder that `zoo bench tune` has written. No torch here."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from benchmarks.plan.job import MATCHED, Job
from zoo.errors import ConfigError
from zoo.recipes import TunedRecipe, check_names, read_tuned, recipe_name


def find_tuned(folder: str, model: str, data: str, size: str) -> TunedRecipe | None:
    """Find the recipe of a model on a data set; None where the folder has none.

    Args:
        folder: The folder of the recipes: OUT/recipes of `zoo bench tune`.
        model: Name of the model.
        data: Name of the data set.
        size: "tiny" or "published".

    Raises:
        ConfigError: There is no such folder, the file is no recipe, or it was changed after the trials.
    """
    place = Path(folder).expanduser()
    if not place.is_dir():
        raise ConfigError(
            f"{folder}: no such folder of recipes.", "Name OUT/recipes of `zoo bench tune ... --out OUT`."
        )
    path = place / recipe_name(model, data, size)
    if not path.is_file():
        return None
    recipe = read_tuned(path)
    if recipe is None:
        raise ConfigError(f"{path}: no recipe of `zoo bench tune` (no `about.tuned`).", "Name its folder OUT/recipes.")
    check_names(recipe, model, data, size)
    return recipe


def apply_recipe(job: Job, folder: str) -> Job:
    """Return a job with the values of its tuned recipe; the job itself where there is none.

    A matched job has the tuned rate already, or the common one. It only gets the split on which the rate was selected.

    Args:
        job: The job of a full model with its budget.
        folder: The folder of the recipes; empty for none.

    Raises:
        ConfigError: A flag sets a tuned argument, the text encoder of the trials was another one, or the job is of a
            fold, whose test cases may have selected the recipe.
    """
    matched = job.settings.recipe == MATCHED
    used = folder and (not matched or job.rate.startswith("tuned"))
    recipe = find_tuned(folder, job.model, job.data, job.settings.size) if used else None
    if recipe is None:
        return job
    if job.fold is not None:
        raise ConfigError(
            f"{recipe.path}: its validation cases are test cases of some fold of {job.data}.",
            "Compare tuned models on the splits of the protocol, without `folds`.",
        )
    job = replace(job, tuned_split=str(recipe.tuned.search.get("split_hash") or ""))
    if matched:
        return job
    set_twice = [key for key, _ in recipe.pairs if key in job.overridden]
    if set_twice:
        raise ConfigError(f"--{set_twice[0]} is set, and {recipe.path} has it too.", "Remove the flag, or --recipes.")
    if job.encoder != recipe.tuned.encoder:
        raise ConfigError(
            f"{recipe.path}: it was tuned with the text encoder {recipe.tuned.encoder}, not {job.encoder}.",
            f"Give --model.encoder {recipe.tuned.encoder}, or tune again.",
        )
    return replace(job, overrides=(*job.overrides, *recipe.pairs), tuned=recipe.trials, search=recipe.search_hash)


def check_recipes(jobs: Iterable[Job], folder: str) -> None:
    """Check that a folder of recipes has one for a job of the plan.

    Raises:
        ConfigError: It has none.
    """
    jobs = [job for job in jobs if job.settings.recipe != MATCHED or job.rate]
    if folder and jobs and not any(job.tuned or job.rate.startswith("tuned") for job in jobs):
        name = recipe_name(jobs[0].model, jobs[0].data, jobs[0].settings.size)
        raise ConfigError(
            f"{folder}: no recipe for a model of this plan (such as {name}).",
            "Name OUT/recipes of `zoo bench tune` with the same models, data and size.",
        )


def describe_untuned(jobs: Iterable[Job]) -> list[str]:
    """Describe the models without a recipe beside others that have one."""
    jobs = list(jobs)
    if not any(job.tuned for job in jobs):
        return []
    without = dict.fromkeys((job.model, job.data) for job in jobs if not job.tuned and job.settings.recipe != MATCHED)
    return [
        f"{model} on {data}: no tuned recipe, so its card is used; its row is not ranked beside tuned rows"
        for model, data in without
    ]
