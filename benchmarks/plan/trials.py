"""The trials of `zoo bench tune`: each full model of a plan at each point of one space, without tests."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from benchmarks.plan.job import MATCHED, Job, KeyValues, Plan
from benchmarks.plan.job_config import resolve_config
from benchmarks.plan.search_space import OWN_TERM, Space, Value
from zoo.cards import ModelCard, PresetCard
from zoo.config import config_hash, find_card, identity
from zoo.errors import ConfigError
from zoo.recipes import recipe_name
from zoo.registry import MODELS, TRAINERS
from zoo.utils.config_values import section_keys, value_to_text

NO_TEST_CASES = ("trainer.limit_test_batches", "0")
"""The override that keeps a training from preparing the test cases: a search must not open them."""


@dataclass(frozen=True, slots=True)
class Search:
    """A search: the same for all models of a plan.

    Attributes:
        space: The space.
        trials: Number of trials per model.
        points_seed: Seed of the points.
        seeds: Seeds of the trainings of each trial.
    """

    space: Space
    trials: int
    points_seed: int = 0
    seeds: tuple[int, ...] = (0,)

    def to_dict(self) -> dict[str, Any]:
        """Convert to plain Python, for the recipes."""
        points = {"trials": self.trials, "points_seed": self.points_seed, "seeds": list(self.seeds)}
        return {**points, **self.space.to_dict()}


def make_trials(plan: Plan, search: Search) -> Plan:
    """Make the trials of the full models of a plan; its variants, texts and seeds are left out.

    All models see the same points. Only a model whose card names its own term has that dimension too.

    Args:
        plan: The plan of a comparison.
        search: The search.

    Raises:
        ConfigError: The plan has folds or two budgets, tests after each training, sets an argument of the space, or
            gives one recipe two names.
    """
    full = {job.method: job for job in plan.jobs if not job.variant}
    jobs = list(full.values())
    if any(job.tuned for job in jobs):
        raise ConfigError("zoo bench tune: --recipes gives tuned values already.", "Leave it out.")
    _refuse_folds(jobs)
    _refuse_two_recipes(jobs)
    _refuse_tests(jobs)
    points = search.space.points(search.trials, search.points_seed)
    trials: dict[str, Job] = {}
    configs = {}
    for job in jobs:
        own = own_terms(job)
        _refuse_set_arguments(job, [name for name in points[0] if name != OWN_TERM] + list(own))
        for number, point in enumerate(points, start=1):
            overrides = (*(pair for pair in job.overrides if pair[0] != NO_TEST_CASES[0]), NO_TEST_CASES)
            one = replace(job, trial=number, changes=_values_of(point, own), overrides=overrides, texts=())
            config = resolve_config(one)
            one = replace(one, digest=config_hash(config)[:8])
            configs[one.digest] = identity(config)
            for seed in search.seeds:
                seeded = replace(one, seed=seed)
                trials[seeded.id] = seeded
    return Plan(tuple(trials.values()), configs, plan.matrix)


def own_terms(job: Job) -> tuple[str, ...]:
    """Return the arguments that weigh the own loss term of a job's model; its card names them."""
    return ModelCard.of(find_card(MODELS, job.model_option, "model")).own_term


def read_values(job: Job) -> dict[str, Any]:
    """Return the values of a trial by argument."""
    return {key: _parse(value) for key, value in job.changes}


def check_equal(jobs: Iterable[Job], trials: int) -> None:
    """Check that each model has the same number of trials, with those that are stored.

    Raises:
        ConfigError: A model has more or fewer.
    """
    counts = Counter((replace(job, trial=0).method, job.seed) for job in jobs)
    for (method, _), count in counts.items():
        if count != trials:
            raise ConfigError(
                f"{method} would have {count} trials and others {trials}: the search would not be equal.",
                f"Give all models of --out and --trials {max(*counts.values(), trials)}, or another --out.",
            )


def _values_of(point: dict[str, Value], own: Sequence[str]) -> KeyValues:
    shared = [(name, value) for name, value in point.items() if name != OWN_TERM]
    weights = [(name, point[OWN_TERM]) for name in own if OWN_TERM in point]
    return tuple((name, value_to_text(v)) for name, v in (*shared, *weights))


def _parse(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _refuse_folds(jobs: Iterable[Job]) -> None:
    for job in jobs:
        if job.fold is not None:
            raise ConfigError(
                f"{job.data}: the plan has folds, and the validation cases of one fold are test cases of another.",
                "Tune on the splits of the protocol, without `folds`.",
            )


def _refuse_two_recipes(jobs: Iterable[Job]) -> None:
    names: dict[str, str] = {}
    for job in jobs:
        name = recipe_name(job.model, job.data, job.settings.size)
        if names.setdefault(name, job.method) != job.method:
            raise ConfigError(
                f"{names[name]} and {job.method} would have one recipe, {name}.",
                "Tune them in two plans with two --out: one budget and one text encoder each.",
            )


def _refuse_tests(jobs: Iterable[Job]) -> None:
    for preset in {job.settings.trainer for job in jobs} - {""}:
        then = PresetCard.of(find_card(TRAINERS, preset, "trainer")).then
        tests = [step for step in then if step.startswith("test")]
        if tests:
            raise ConfigError(
                f"The trainer preset '{preset}' tests after each training ({', '.join(tests)}).",
                "A search must not read the test part: use --trainer cpu or --trainer gpu.",
            )


def _refuse_set_arguments(job: Job, searched: Sequence[str]) -> None:
    """Refuse an override of an argument that the space has. The common values of a matched plan give way."""
    given = (*job.settings.overrides, *(job.overrides if job.settings.recipe != MATCHED else ()))
    keys = section_keys(given, "model")
    for name in searched:
        if name in keys:
            raise ConfigError(
                f"--model.{name} is set, and the space of the search has it too.",
                "Remove one of the two (--space FILE is another space).",
            )
