"""The budget `matched`: all models have one vision network, optimiser, segmentation loss, augmentation and budget.

The common values of each size are in `configs/matched/<size>.yaml`. The `matched` of a plan's file changes them, and
`--model.KEY VALUE` changes them for one command. No torch here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.plan.job import MATCHED, Job, KeyValues
from benchmarks.plan.tuned import find_tuned
from zoo.cards import ModelCard
from zoo.config import Config, compose
from zoo.errors import ConfigError
from zoo.registry import CONFIGS, Card, read_yaml
from zoo.utils.config_values import find_value, list_leaves, value_to_text

COMMON = CONFIGS / "matched"
"""The folder of the common values of each size."""

_UNSET = {"trainer.max_steps": -1, "trainer.accumulate_grad_batches": 1}
"""The values that mean "not set", where null does not mean it."""

RATES = ("one", "tuned")
"""The learning rates of a matched comparison: one common rate, or the rate that was tuned for each model."""


@dataclass(frozen=True, slots=True)
class MatchedOptions:
    """What a plan or a command says of its matched jobs.

    Attributes:
        values: (key, value) pairs that change the common values of the size.
        rates: One of `RATES`.
        recipes: Folder of the recipes that `zoo bench tune` writes, for the rates "tuned".
    """

    values: KeyValues = ()
    rates: str = "one"
    recipes: str = ""


def leave_out(models: Iterable[Card], recipes: Sequence[str]) -> dict[str, str]:
    """Return the models that cannot join a matched comparison, each with the reason.

    Args:
        models: Cards of the models.
        recipes: The budgets of the plan.
    """
    if MATCHED not in recipes:
        return {}
    own = (about for about in map(ModelCard.of, models) if about.vision == "own")
    return {
        about.name: f"{about.name} is left out of the matched comparison: {_explain(about)} "
        "(`vision: own` in its card); budget `equal` ranks it"
        for about in own
    }


def _explain(about: ModelCard) -> str:
    """Say why no common vision network can be put into a model."""
    if about.reads_text:
        return "its text runs inside its own vision encoder"
    if about.host:
        return f"it is one vision network, and `--model.vision {about.host}` puts its encoder under all models"
    return f"it is one vision network{f', and {about.no_host}' if about.no_host else ''}"


def matched_values(job: Job, options: MatchedOptions) -> tuple[KeyValues, str]:
    """Return the overrides that match a job with the others, and where its learning rate comes from.

    Args:
        job: The job of a full model, with the overrides of its data set.
        options: The options of the plan.

    Returns:
        (key, value) pairs without the keys that are typed; and the source of the rate: empty for the common rate,
        "tuned, N trials", or "card" for a model without a recipe.

    Raises:
        ConfigError: The common values cannot be read, or a card sets a value that no data set gives.
    """
    typed = job.overridden
    shared = job.settings
    own = compose(job.model_option, job.data, size=shared.size, preset=shared.trainer or None).config
    plain = compose(None, job.data, size=shared.size, preset=shared.trainer or None).config
    values = dict(read_common(shared.size, own)) | dict(options.values)
    source = ""
    if options.rates == "tuned" and "model.lr" not in typed:
        values.pop("model.lr", None)
        if not options.recipes:
            raise ConfigError("Tuned rates need recipes.", "Give --recipes DIR, OUT/recipes of `zoo bench tune`.")
        tuned = find_tuned(options.recipes, job.model, job.data, shared.size)
        if tuned is None or tuned.lr is None:
            source = "card"
        else:
            values["model.lr"], source = value_to_text(tuned.lr), f"tuned, {tuned.trials} trials"
    values = dict(_budget_of_data(own, plain, job, typed)) | values
    return tuple((key, value) for key, value in values.items() if not _is_typed(key, typed)), source


def check_encoders(jobs: Iterable[Job]) -> None:
    """Check that the matched jobs of one data set have one text encoder.

    Raises:
        ConfigError: Their cards have different text encoders, and none was chosen.
    """
    found: dict[str, dict[str, str]] = {}
    for job in jobs:
        if job.settings.recipe == MATCHED and job.encoder and not job.variant:
            found.setdefault(job.data, {}).setdefault(job.encoder, job.model)
    for encoders in found.values():
        if len(encoders) > 1:
            shown = ", ".join(f"{encoder} of {model}" for encoder, model in encoders.items())
            raise ConfigError(
                f"The matched models have different text encoders: {shown}.", "Choose one with --model.encoder NAME."
            )


def read_common(size: str, own: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the (key, value) pairs that all models of a size have in common.

    Args:
        size: "tiny" or "published".
        own: The composed configuration of a model. It decides over the options that not every model has.
    """
    content = read_yaml(COMMON / f"{size}.yaml")
    for key, value in list_leaves(content["values"]):
        yield key, value_to_text(value)
    for key, value in content["where_set"].items():
        if find_value(own, key) is not None:
            yield key, value_to_text(value)


def _budget_of_data(own: Config, plain: Config, job: Job, typed: frozenset[str]) -> Iterator[tuple[str, str]]:
    """Yield the values of the data set and the trainer where the card or the recipe of a model has others."""
    mine, theirs = dict(_shared_leaves(own)), dict(_shared_leaves(plain))
    for key, value in mine.items():
        if value == theirs.get(key) or _is_typed(key, typed):
            continue
        if key not in theirs and key.startswith("data."):
            raise ConfigError(
                f"The card of '{job.model}' sets {key} to {value_to_text(value)}, and that of '{job.data}' does not "
                "set it: the models would not be matched.",
                f"Give --{key} VALUE for all models.",
            )
        yield key, value_to_text(theirs.get(key, _UNSET.get(key)))


def _shared_leaves(config: Config) -> Iterator[tuple[str, Any]]:
    yield from list_leaves(config.get("trainer") or {}, "trainer.")
    yield from list_leaves((config.get("data") or {}).get("init_args") or {}, "data.")


def _is_typed(key: str, typed: frozenset[str]) -> bool:
    """Whether a key, or a group that holds it, is among the typed keys."""
    parts = key.split(".")
    return any(".".join(parts[:end]) in typed for end in range(2, len(parts) + 1))
