"""From a matrix of names to a plan: every job with its configuration composed and hashed, without torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from pathlib import Path, PurePath
from typing import Any

import yaml

from benchmarks.plan.ablations import FULL, Variant, choose_variants
from benchmarks.plan.job import TEXTS, Job, Pairs, Plan, Settings
from datamodules.index.card import DataCard
from zoo.cards import ModelCard
from zoo.config import Config, compose, config_hash, identity
from zoo.errors import ConfigError, ZooError
from zoo.registry import DATA, MODELS, Card

RECIPES = ("equal", "published")

_BUDGET = {  # what makes a budget, and the value that stands for "not set"; None where there is none
    "trainer.max_epochs": "null",
    "trainer.max_steps": "-1",
    "trainer.accumulate_grad_batches": "1",
    "data.batch_size": None,
    "data.epoch_samples": None,
}


@dataclass(frozen=True, slots=True)
class DataEntry:
    """What a matrix says of one data set.

    Attributes:
        root: Its folder, empty for an embedded set or one under `ZOO_DATA`.
        overrides: (key, value) pairs of its jobs.
        take: Its folds; (None,) for the protocol's own parts.
        folds: How many folds there are, None for the default.
    """

    root: str = ""
    overrides: Pairs = ()
    take: tuple[int | None, ...] = (None,)
    folds: int | None = None


@dataclass(frozen=True, slots=True)
class Matrix:
    """Models x data sets x folds x recipes x variants x seeds, under one size, one trainer and one set of overrides.

    Attributes:
        models: Names of models.
        data: Names of data sets, each with what is said of it.
        seeds: The seeds of each combination.
        settings: What all jobs share; an empty size becomes what the trainer stands for.
        encoder: Text encoder of the models that read text; empty for each card's own.
        variants: Variants to train beside the full models. Empty means all variants, None means no variant.
        texts: The texts of the tests.
        recipes: "equal", "published" or both.
    """

    models: Sequence[str]
    data: Mapping[str, DataEntry]
    seeds: Sequence[int]
    settings: Settings = field(default_factory=Settings)
    encoder: str = ""
    variants: Sequence[str] | None = None
    texts: tuple[str, ...] = TEXTS
    recipes: Sequence[str] = ("equal",)


def make_plan(matrix: Matrix, written: Mapping[str, Any] | None = None) -> Plan:
    """All combinations, ordered by data set, fold, model, recipe, variant and seed as they were named.

    Args:
        matrix: The matrix.
        written: The matrix as its file says it, kept in the plan.

    Raises:
        ConfigError: A name is unknown (all of them are named at once), a card is broken, nothing is to be done, a
            model cannot take a data set's images, no model has an ablation, or an override sets what a variant changes.
    """
    cards = _cards(matrix.models, list(matrix.data))
    if not (matrix.models and matrix.data and matrix.seeds):
        raise ConfigError("An empty plan.", "Name at least one model, one data set and one seed.")
    models = {cards["model", name].name: cards["model", name] for name in matrix.models}
    ablations = {} if matrix.variants is None else choose_variants(models.values(), matrix.variants)
    _refuse_overridden(ablations, matrix)
    jobs: dict[str, Job] = {}
    configs: dict[str, Mapping[str, Any]] = {}
    for typed, entry in matrix.data.items():
        card = cards["data", typed]
        name = card.name
        for fold, (model, model_card), recipe in product(entry.take, models.items(), matrix.recipes):
            _check_dimensions(model_card, card)
            base = _full_method(matrix, name, entry, card, model_card)
            base = replace(base, model=model, fold=fold, folds=None if fold is None else entry.folds)
            base = replace(base, settings=replace(base.settings, recipe=recipe))
            base = replace(base, overrides=(*entry.overrides, *(_equal_budget(base) if recipe == "equal" else ())))
            for variant in (FULL, *ablations.get(model, ())):
                job = replace(base, variant=variant.name, changes=variant.changes, about=variant.about)
                config = resolve_config(job)
                job = replace(job, digest=config_hash(config)[:8])
                configs[job.digest] = identity(config)
                for seed in matrix.seeds:
                    one = replace(job, seed=seed)
                    jobs[one.id] = one
    return Plan(tuple(jobs.values()), configs, dict(written or {}))


def _full_method(matrix: Matrix, name: str, entry: DataEntry, data: Card, model: Card) -> Job:
    """What is the same for every fold, recipe, variant and seed of a model on a data set."""
    settings = matrix.settings
    composed = compose(model.name, name, size=settings.size or None, preset=settings.trainer or None)
    own = composed.config.get("model", {}).get("init_args", {}).get("encoder", "")
    facts = DataCard.of(data)
    reads = ModelCard.of(model).reads_text
    return Job(
        model=model.name,
        data=name,
        seed=0,
        root=str(Path(entry.root).expanduser().resolve()) if entry.root and not facts.embedded else "",
        encoder=(matrix.encoder or own) if reads else "",
        track=facts.track if reads else "none",
        settings=replace(settings, size=composed.size),
        texts=matrix.texts,
    )


def resolve_config(job: Job) -> Config:
    """A job's configuration as far as it is known without its classes: the layers and what is typed over them.

    The seed is left out, and of an absolute path all but its last name, so that the same job has the same
    configuration for every seed and on every machine.
    """
    composed = compose(job.model, job.data, size=job.settings.size, preset=job.settings.trainer or None)
    config: Config = _portable(composed.config)
    for key, value in job.typed():
        section, _, rest = key.partition(".")
        inner = section in ("model", "data") and not rest.startswith("init_args.")
        _set(config, [section, *(["init_args"] if inner else []), *rest.split(".")], _portable(_parsed(value)))
    return config | {"size": job.settings.size}


def _parsed(value: str) -> Any:
    """A typed value as the parser reads it, so that `5` is what a card says with 5."""
    try:
        return yaml.safe_load(value)
    except yaml.YAMLError:
        return value


def _portable(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _portable(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_portable(entry) for entry in value]
    return PurePath(value).name if isinstance(value, str) and PurePath(value).is_absolute() else value


def _set(config: Config, path: Sequence[str], value: Any) -> None:
    *parents, last = path
    for key in parents:
        if not isinstance(config.get(key), dict):
            config[key] = {}
        config = config[key]
    config[last] = value


def find_value(config: Mapping[str, Any], key: str) -> Any:
    """The value of a dotted key such as `data.batch_size`, None where it is not set."""
    section, _, rest = key.partition(".")
    found: Any = config.get(section) or {}
    if section != "trainer":
        found = found.get("init_args") or {}
    return found.get(rest)


def _equal_budget(job: Job) -> Pairs:
    """Overrides that give a job the budget of its data set where a model's card or recipe sets another one."""
    shared = job.settings
    own = compose(job.model, job.data, size=shared.size, preset=shared.trainer or None).config
    plain = compose(None, job.data, size=shared.size, preset=shared.trainer or None).config
    typed = {key.replace(".init_args", "") for key, _ in (*shared.overrides, *job.overrides)}
    pairs = []
    for key, unset in _BUDGET.items():
        wanted, has = find_value(plain, key), find_value(own, key)
        if key in typed or wanted == has or (wanted is None and unset is None):
            continue
        pairs.append((key, str(unset if wanted is None else wanted)))
    return tuple(pairs)


def _check_dimensions(model: Card, data: Card) -> None:
    takes, has = ModelCard.of(model).spatial_dims, DataCard.of(data).spatial_dims
    if takes and has not in takes:
        raise ConfigError(
            f"The model '{model.name}' takes no {has}-dimensional images, as '{data.name}' has.",
            "Leave one of them out.",
        )


def _refuse_overridden(ablations: Mapping[str, Sequence[Variant]], matrix: Matrix) -> None:
    """An override goes to every job: the full method would have a variant's change, or the variant not."""
    typed = (*matrix.settings.overrides, *(pair for entry in matrix.data.values() for pair in entry.overrides))
    keys = {key.removeprefix("model.").removeprefix("init_args.") for key, _ in typed if key.startswith("model.")}
    for model, variants in ablations.items():
        for variant in variants:
            for key in sorted(keys & dict(variant.changes).keys()):
                raise ConfigError(
                    f"--model.{key} is what the variant {variant.name} of {model} changes.",
                    "Leave it out, or choose other variants with --variants.",
                )


def _cards(models: Sequence[str], data: Sequence[str]) -> dict[tuple[str, str], Card]:
    """The cards of all names; every unknown or broken one stands in the error."""
    cards, mistakes = {}, []
    for kind, registry, names in (("model", MODELS, models), ("data", DATA, data)):
        for name in names:
            try:
                card = registry.get(name)
                cards[kind, name] = cards[kind, card.name] = card
            except ZooError as error:
                mistakes.append(str(error))
    if mistakes:
        raise ConfigError(" ".join(dict.fromkeys(mistakes)))
    return cards


def set_root(matrix: Matrix, root: str) -> Matrix:
    """The matrix with the folder of its one data set that is not embedded.

    Raises:
        ConfigError: There are several such sets.
    """
    known = [name for name in matrix.data if name in DATA]
    on_disk = [name for name in known if not DataCard.of(DATA.get(name)).embedded]
    if len({DATA.get(name).name for name in on_disk}) > 1:
        raise ConfigError(
            f"One --data.root for several data sets ({', '.join(on_disk)}).",
            "Set ZOO_DATA to the folder whose sub-folders are their roots, or write each `root` into a plan's file.",
        )
    rooted = {name: replace(entry, root=root) if name in on_disk else entry for name, entry in matrix.data.items()}
    return replace(matrix, data=rooted)
