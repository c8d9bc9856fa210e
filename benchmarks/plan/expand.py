"""From a matrix of names to a plan: compose and hash the configuration of every job, without torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from pathlib import Path
from typing import Any

from benchmarks.plan.ablations import FULL, NO_TEXT, Variant, choose_variants
from benchmarks.plan.equal import equal_budget, with_equal_loss
from benchmarks.plan.folds import check_folds
from benchmarks.plan.job import DEFAULT_TEXTS, EQUAL, MATCHED, PUBLISHED, Job, KeyValues, Plan, Settings
from benchmarks.plan.job_config import resolve_config
from benchmarks.plan.matched import MatchedOptions, check_encoders, leave_out, matched_values
from benchmarks.plan.models import PlanModel, expand_kinds, find_model, find_obstacle, refuse_equal_names
from benchmarks.plan.tuned import apply_recipe, check_recipes
from datamodules.index.card import DataCard
from zoo.cards import ModelCard
from zoo.config import compose, config_hash, identity
from zoo.errors import ConfigError, ZooError
from zoo.registry import DATA, Card
from zoo.sizes import PLANNED_SIZES
from zoo.text.controls import EXCHANGED
from zoo.utils.config_values import section_keys


@dataclass(frozen=True, slots=True)
class DataEntry:
    """The entry of one data set in a matrix.

    Attributes:
        root: Folder of the data set, empty for an embedded data set or one under `ZOO_DATA`.
        overrides: (key, value) pairs of its jobs.
        chosen_folds: The folds to train; (None,) for the split of the protocol.
        folds: Number of folds, None for the default.
    """

    root: str = ""
    overrides: KeyValues = ()
    chosen_folds: tuple[int | None, ...] = (None,)
    folds: int | None = None


@dataclass(frozen=True, slots=True)
class Matrix:
    """Models x data sets x folds x recipes x variants x seeds, with one size, trainer and overrides.

    Attributes:
        models: Names of models, classes and files of cards, and kinds of models (`benchmarks.plan.models.KINDS`).
        data: Names of data sets, each with its entry.
        seeds: The seeds of each combination.
        settings: The settings that all jobs share. An empty size becomes that of the trainer preset.
        encoder: Text encoder of the models that read text; empty for the encoder of each card.
        variants: Variants to train beside the full models. Empty means all variants, None means no variant.
        texts: The texts of the tests.
        recipes: Some of `benchmarks.plan.job.RECIPES`.
        no_text: Models that are also trained as their variant `no_text`. Empty means all that read text, None means
            no model.
        matched: The options of the jobs of the budget `matched`.
    """

    models: Sequence[str]
    data: Mapping[str, DataEntry]
    seeds: Sequence[int]
    settings: Settings = field(default_factory=Settings)
    encoder: str = ""
    variants: Sequence[str] | None = None
    texts: tuple[str, ...] = DEFAULT_TEXTS
    recipes: Sequence[str] = (EQUAL,)
    no_text: Sequence[str] | None = None
    matched: MatchedOptions = field(default_factory=MatchedOptions)


def make_plan(matrix: Matrix, written: Mapping[str, Any] | None = None) -> Plan:
    """Make the jobs of all combinations, in the order of data sets, folds, models, recipes, variants and seeds.

    Args:
        matrix: The matrix.
        written: The content of the plan's file, which the plan keeps.

    Raises:
        ConfigError: Names are unknown (the error lists all of them), a card is broken, or the plan is empty. A model
            does not support the dimensions of a data set, or no model has an ablation. An override sets an argument
            that a variant changes. A fold does not exist.
    """
    choice = expand_kinds(matrix.models)
    found, cards = _find_all(choice.names, list(matrix.data))
    _refuse_shared_budgets(matrix)
    if not (found and matrix.data and matrix.seeds):
        raise ConfigError("An empty plan.", "Name at least one model, one data set and one seed.")
    refuse_equal_names(found)
    models = {model.card.name: model for model in found}
    full = [model.card for model in models.values()]
    chosen_variants = {} if matrix.variants is None else choose_variants(full, matrix.variants)
    ablations = _with_no_text(chosen_variants, full, matrix.no_text)
    left_out = leave_out(full, matrix.recipes)
    _refuse_overridden(ablations, matrix)
    jobs: dict[str, Job] = {}
    configs: dict[str, Mapping[str, Any]] = {}
    without: dict[str, None] = {}  # what the plan says of models that a kind gave and a data set cannot have
    for typed, entry in matrix.data.items():
        card = cards[typed]
        name = card.name
        for fold, (model, chosen), recipe in product(entry.chosen_folds, models.items(), matrix.recipes):
            if recipe == MATCHED and model in left_out:
                continue
            base = _full_method(matrix, name, entry, card, chosen)
            obstacle = _find_obstacle(base, card, chosen, entry, matrix, recipe)
            if obstacle and model in choice.of_kind:
                without[f"{model} is left out: it {obstacle}"] = None
                continue
            if obstacle:
                raise ConfigError(f"The model '{model}' {obstacle}.", "Remove one of the two.")
            base = replace(base, model=model, fold=fold, folds=None if fold is None else entry.folds)
            base = replace(base, settings=replace(base.settings, recipe=recipe))
            base = _with_budget(replace(base, overrides=entry.overrides), matrix)
            base = with_equal_loss(apply_recipe(base, matrix.matched.recipes))
            for variant in (FULL, *ablations.get(model, ())):
                job = replace(base, variant=variant.name, changes=variant.changes, about=variant.about)
                config = resolve_config(job)
                job = replace(job, digest=config_hash(config)[:8])
                configs[job.digest] = identity(config)
                for seed in matrix.seeds:
                    one = replace(job, seed=seed)
                    jobs[one.id] = one
    notes = (*choice.notes, *without, *left_out.values())
    if not jobs:
        raise ConfigError("An empty plan.", f"{'; '.join(notes)}.")
    check_encoders(jobs.values())
    check_folds(jobs.values())
    check_recipes(jobs.values(), matrix.matched.recipes)
    return Plan(tuple(jobs.values()), configs, dict(written or {}), notes)


def _refuse_shared_budgets(matrix: Matrix) -> None:
    """Refuse a planned size where models share a budget, because the plan gives each network a batch of its own.

    Raises:
        ConfigError: The size is planned, and a budget is not that of the cards.
    """
    shared = [recipe for recipe in matrix.recipes if recipe != PUBLISHED]
    if matrix.settings.size in PLANNED_SIZES and shared:
        raise ConfigError(
            f"--size {matrix.settings.size} with the budget {', '.join(shared)}: the plan of a model has a patch and a "
            "batch of its own.",
            "Add --budget published.",
        )


def _with_no_text(
    ablations: Mapping[str, tuple[Variant, ...]], models: Sequence[Card], names: Sequence[str] | None
) -> Mapping[str, tuple[Variant, ...]]:
    """Return the variants with `no_text` of the named models.

    Raises:
        ConfigError: A named model is not in the plan, or it reads no text.
    """
    if names is None:
        return ablations
    readers = [card.name for card in models if ModelCard.of(card).reads_text]
    wrong = [name for name in names if name not in readers]
    if wrong or not readers:
        shown = f"{', '.join(wrong)} cannot have" if wrong else "No model of the plan can have"
        fix = f"Name models of the plan that read text: {', '.join(readers)}." if readers else "Remove `no_text`."
        raise ConfigError(f"{shown} the variant no_text.", fix)
    added = {name: (NO_TEXT, *(v for v in ablations.get(name, ()) if v != NO_TEXT)) for name in names or readers}
    return {**ablations, **added}


def _with_budget(job: Job, matrix: Matrix) -> Job:
    """Return a full method with the overrides of its budget."""
    if job.settings.recipe == MATCHED:
        pairs, rate = matched_values(job, matrix.matched)
        return replace(job, overrides=(*job.overrides, *pairs), rate=rate)
    return replace(job, overrides=(*job.overrides, *equal_budget(job))) if job.settings.recipe == EQUAL else job


def _full_method(matrix: Matrix, name: str, entry: DataEntry, data: Card, model: PlanModel) -> Job:
    """Make the job of a full model on a data set, without fold, recipe, variant and seed."""
    settings = matrix.settings
    option = model.source or model.card.name
    composed = compose(option, name, size=settings.size or None, preset=settings.trainer or None)
    own = composed.config.get("model", {}).get("init_args", {}).get("encoder", "")
    level = section_keys((*settings.overrides, *entry.overrides), "data").get("prompt")
    facts = DataCard.of(data) if level is None else DataCard.of(data).at_level(level)
    return Job(
        model=model.card.name,
        data=name,
        seed=0,
        root=str(Path(entry.root).expanduser().resolve()) if entry.root and not facts.embedded else "",
        encoder=(matrix.encoder if matrix.encoder and model.takes_encoder() else own) if model.reads_text else "",
        track=facts.track if model.reads_text else "none",
        settings=replace(settings, size=composed.size),
        texts=(*matrix.texts, EXCHANGED) if facts.queries and matrix.texts == DEFAULT_TEXTS else matrix.texts,
        source=model.source,
    )


def _find_obstacle(base: Job, data: Card, model: PlanModel, entry: DataEntry, matrix: Matrix, recipe: str) -> str:
    typed = (*matrix.settings.overrides, *entry.overrides)
    changed = recipe == MATCHED or bool(section_keys(typed, "model"))
    return find_obstacle(model, data, base.settings.size, changed)


def _refuse_overridden(ablations: Mapping[str, Sequence[Variant]], matrix: Matrix) -> None:
    """Refuse an override of an argument that a variant changes, because an override goes to every job."""
    typed = (*matrix.settings.overrides, *(pair for entry in matrix.data.values() for pair in entry.overrides))
    keys = set(section_keys(typed, "model"))
    for model, variants in ablations.items():
        for variant in variants:
            for key in sorted(keys & dict(variant.changes).keys()):
                raise ConfigError(
                    f"--model.{key} is an argument that the variant {variant.name} of {model} changes.",
                    "Remove it, or choose other variants with --variants.",
                )


def _find_all(models: Sequence[str], data: Sequence[str]) -> tuple[list[PlanModel], dict[str, Card]]:
    """Find all models and data sets; the error lists every unknown or broken one."""
    found, cards, mistakes = [], {}, []
    for value in models:
        try:
            found.append(find_model(value))
        except ZooError as error:
            mistakes.append(str(error))
    for name in data:
        try:
            cards[name] = DATA.get(name)
        except ZooError as error:
            mistakes.append(str(error))
    if mistakes:
        raise ConfigError(" ".join(dict.fromkeys(mistakes)))
    return found, cards


def set_root(matrix: Matrix, root: str) -> Matrix:
    """Set the folder of the only data set that is not embedded.

    Raises:
        ConfigError: There are several such data sets.
    """
    known = [name for name in matrix.data if name in DATA]
    on_disk = [name for name in known if not DataCard.of(DATA.get(name)).embedded]
    if len({DATA.get(name).name for name in on_disk}) > 1:
        raise ConfigError(
            f"One --data.root for several data sets ({', '.join(on_disk)}).",
            "Set ZOO_DATA to the folder that contains them, or write each `root` into a plan's file.",
        )
    rooted = {name: replace(entry, root=root) if name in on_disk else entry for name, entry in matrix.data.items()}
    return replace(matrix, data=rooted)
