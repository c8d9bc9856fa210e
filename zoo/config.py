"""Merges the layers of a run's configuration in one fixed order, and computes the identity of a run.

The order, where each layer overrides those before it: class defaults < model card < data card < size <
recipe of the model and the data set < trainer preset < `-c` files < flags. The parser adds class defaults and flags
(`zoo.engine.lightning_cli`). The layers between are merged here, without torch, so that a mistake is reported at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from zoo.cards import ModelCard, PresetCard
from zoo.errors import ConfigError
from zoo.publishing import Publish, read_terms
from zoo.recipes import TunedRecipe, check_names, read_tuned, without_about
from zoo.registry import CONFIGS, DATA, MODELS, TRAINERS, Card, Registry, card_from, read_recipe, read_yaml
from zoo.sizes import PLANNED, PLANNED_SIZES, SIZES, card_size
from zoo.utils.config_files import check_config
from zoo.utils.config_values import list_leaves
from zoo.utils.hashing import hash_json

if TYPE_CHECKING:
    from zoo.planner.blueprint import Plan

Config = dict[str, Any]

MAX_SEED = 2**32 - 1
"""The largest seed that numpy takes."""

_TRAINER_MACHINE_KEYS = (
    *("accelerator", "devices", "num_nodes", "strategy", "sync_batchnorm", "use_distributed_sampler", "plugins"),
    *("logger", "profiler", "default_root_dir", "log_every_n_steps"),
    *("enable_progress_bar", "enable_model_summary", "enable_checkpointing"),
)

MACHINE_KEYS = frozenset(
    {"data.init_args.root", "data.init_args.num_workers", "out", "config"}
    | {f"trainer.{key}" for key in _TRAINER_MACHINE_KEYS}
)
"""Keys that say where and on which devices a run happens. They are not part of its identity. Synchronised batch
normalisation is one of them, because with it several devices compute what one device computes."""

_PATH_KEYS = ("dirpath", "save_dir", "log_dir")


@dataclass(frozen=True, slots=True)
class Composed:
    """The merged layers of one command.

    Attributes:
        config: The configuration without class defaults and flags.
        model: Name of the model; empty if the command gives none.
        data: Name of the data set; empty if the command gives none.
        size: One of `SIZES` or `PLANNED_SIZES`.
        preset: Name of the trainer preset, "auto" for Lightning's own choice.
        layers: Names of the layers that are not empty, in order.
        model_card: The typed card of the model.
        then: Steps that follow `fit` under this trainer preset: "validate", "test", "test-blank", ....
        where_accepted: Dotted key -> value of this preset that is left out where the class has no such argument.
        tuned: The tuned recipe among the `-c` files.
        plan: The plan of a planned size.
        publish: What the terms of the data set allow to publish.
    """

    config: Config
    model: str
    data: str
    size: str
    preset: str = "auto"
    layers: tuple[str, ...] = ()
    model_card: ModelCard = field(default_factory=lambda: ModelCard(""))
    then: tuple[str, ...] = ()
    where_accepted: Mapping[str, Any] = field(default_factory=dict)
    tuned: TunedRecipe | None = None
    plan: Plan | None = None
    publish: Publish = field(default_factory=Publish)


Planner: TypeAlias = "Callable[[Config, ModelCard, str], tuple[Plan, Mapping[str, Any]]]"
"""Makes the plan of a planned size and its layer: from all layers without it, the card of the model, and the size."""


def check_seed(value: Any, shown: str) -> int:
    """Return a seed as a whole number.

    Args:
        value: The seed, or its text.
        shown: The option or the key, for messages.

    Raises:
        ConfigError: It is no whole number from 0 to `MAX_SEED`.

    Example:
        >>> check_seed("7", "--seed")
        7
    """
    text = "" if isinstance(value, bool) else str(value)
    if not (text.isascii() and text.isdecimal() and len(text) <= len(str(MAX_SEED)) and int(text) <= MAX_SEED):
        raise ConfigError(f"{shown} {value}: a seed is a whole number from 0 to {MAX_SEED}.", "Write `0`.")
    return int(text)


def merge(base: Mapping[str, Any], layer: Mapping[str, Any], source: str = "a later layer", at: str = "") -> Config:
    """Return `base` overridden by `layer`: mappings merge, and anything else, also a list, is replaced.

    Args:
        base: The layers so far; it is not changed.
        layer: The layer that overrides.
        source: Name of the layer, for messages.
        at: Dotted key of these mappings, for messages.

    Raises:
        ConfigError: The layer changes a `class_path`; some `init_args` of the old class would be kept.

    Example:
        >>> merge({"trainer": {"max_epochs": 5, "devices": 1}}, {"trainer": {"max_epochs": 9}})
        {'trainer': {'max_epochs': 9, 'devices': 1}}
    """
    merged = dict(base)
    for key, value in layer.items():
        old = merged.get(key)
        if key == "class_path" and old not in (None, value):
            raise ConfigError(
                f"{source}: {at}class_path is changed from {old} to {value}.",
                "Choose the class with --model or --data (or a card of your own); other layers set its arguments.",
            )
        both = isinstance(old, Mapping) and isinstance(value, Mapping)
        merged[key] = merge(old, value, source, f"{at}{key}.") if both else _copy(value)  # type: ignore[arg-type]
    return merged


def _copy(value: Any) -> Any:
    return {key: _copy(entry) for key, entry in value.items()} if isinstance(value, Mapping) else value


def find_card(registry: Registry, value: str, section: str) -> Card:
    """Find the card for the value of `--model` or `--data`.

    Args:
        registry: The registry of names.
        value: A registered name, the path of a card file, or a dotted class.
        section: "model" or "data": the section of the configuration that a dotted class configures.

    Raises:
        UnknownNameError: There is no such name.
        ConfigError: The file is not a card.
    """
    if "/" in value or value.endswith((".yaml", ".yml")):
        card = card_from(Path(value).stem, Path(value), origin=value)
        for layer in (card.config, *card.sizes.values()):
            check_config(layer, value)
        return registry.get(card.alias) if card.alias else card
    if "." in value:
        return Card(name=value.rpartition(".")[2], config={section: {"class_path": value}}, origin=value)
    return registry.get(value)


def compose(
    model: str | None = None,
    data: str | None = None,
    *,
    size: str | None = None,
    preset: str | None = None,
    files: Sequence[Path] = (),
    base: Mapping[str, Any] | None = None,
    planner: Planner | None = None,
) -> Composed:
    """Merge all layers except class defaults and flags.

    Args:
        model: Value of `--model`.
        data: Value of `--data`.
        size: Value of `--size`; None for the size of the preset, else "published".
        preset: Value of `--trainer`: the name or file of a preset; None or "auto" for no preset.
        files: The `-c` files, in order.
        base: Configuration of an earlier run. Then the preset and the files override it, and cards are not read.
        planner: Makes the layer of a planned size, which overrides that of "published". None leaves it out.

    Raises:
        ConfigError: Names are wrong (the message has every mistake), or a layer does not fit.
    """
    looked_up: list[Callable[[], Card]] = [
        lambda: find_card(MODELS, model, "model") if model else Card(""),
        lambda: find_card(DATA, data, "data") if data else Card(""),
        lambda: find_card(TRAINERS, preset, "trainer") if preset not in (None, "", "auto") else Card("auto"),
    ]
    model_card, data_card, preset_card = _all_or_every_mistake(looked_up)
    preset_facts = PresetCard.of(preset_card)
    chosen = size or preset_facts.size or "published"
    if chosen not in (*SIZES, *PLANNED_SIZES):
        raise ConfigError(f"Unknown size '{chosen}'.", f"Choose --size {' or --size '.join((*SIZES, PLANNED))}.")
    of_card = card_size(chosen)
    layers: list[tuple[str, Mapping[str, Any]]] = []
    if base is None:
        layers += [(f"model {model_card.name}", model_card.config), (f"data {data_card.name}", data_card.config)]
        layers += [(f"size {of_card}", card.sizes.get(of_card, {})) for card in (model_card, data_card)]
        layers += _recipe(model_card, data_card, of_card)
    planned_at = len(layers)
    layers.append((f"trainer {preset_card.name}", preset_card.config))
    layers += [(str(path), _read_file(path)) for path in files]
    tuned = [recipe for recipe in map(read_tuned, files) if recipe]
    for recipe in tuned:
        check_names(recipe, model_card.name, data_card.name, chosen if base is None else "")
    config = _merge_all(base, layers)
    found: Plan | None = None
    if base is None and planner and chosen in PLANNED_SIZES:
        found, layer = planner(config, ModelCard.of(model_card), chosen)
        layers.insert(planned_at, (f"plan {found.preset}", layer))
        config = _merge_all(base, layers)
    names = tuple(dict.fromkeys(name for name, layer in layers if layer))
    return Composed(
        config,
        model_card.name,
        data_card.name,
        chosen,
        preset_card.name,
        names,
        ModelCard.of(model_card),
        preset_facts.then,
        {key: leaf for key, leaf in list_leaves(preset_card.config) if key in preset_facts.where_accepted},
        tuned[-1] if tuned else None,
        found,
        read_terms(data_card.about, data_card.place),
    )


def _merge_all(base: Mapping[str, Any] | None, layers: Sequence[tuple[str, Mapping[str, Any]]]) -> Config:
    config: Config = dict(base or {})
    for name, layer in layers:
        config = merge(config, layer, name)
    return config


def _read_file(path: Path) -> Config:
    content = without_about(read_yaml(path))
    check_config(content, str(path))
    return without_empty_sections(content)


def without_empty_sections(content: Mapping[str, Any]) -> Config:
    """Return a configuration without sections that have a name and no content, as if they were not there."""
    filled = {key: value for key, value in content.items() if value is not None}
    for key in {"model", "data"} & filled.keys():
        filled[key] = {name: value for name, value in filled[key].items() if name != "init_args" or value is not None}
    return filled


def _all_or_every_mistake(calls: Sequence[Callable[[], Card]]) -> list[Card]:
    """Return all results, or raise one error that names every mistake."""
    cards, mistakes = [], []
    for call in calls:
        try:
            cards.append(call())
        except ConfigError as error:
            mistakes.append(error)
    if len(mistakes) == 1:
        raise mistakes[0]
    if mistakes:
        raise ConfigError(" ".join(map(str, mistakes)))
    return cards


def _recipe(model: Card, data: Card, size: str) -> list[tuple[str, Mapping[str, Any]]]:
    """Return the layers of the recipe of a model on a data set, with its changes for a size; none if there is none."""
    path = CONFIGS / "recipe" / data.name / f"{model.name}.yaml"
    ours = model.origin == data.origin == "zoo"  # a user's card may have the same name, but not our recipe
    if not (ours and model.name and data.name and path.is_file()):
        return []
    card = read_recipe(model.name, path)
    name = f"recipe {data.name}/{model.name}"
    return [(name, card.config), (name, card.sizes.get(size, {}))]


def identity(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return what makes two runs the same run: dotted key -> value, without `MACHINE_KEYS` and unset keys.

    Args:
        config: A resolved configuration.
    """
    leaves = list_leaves(config, without=MACHINE_KEYS)
    return {key: _without_paths(value) for key, value in leaves if value is not None}


def _without_paths(value: Any) -> Any:
    """Remove the paths to which callbacks write; they depend on the machine."""
    if isinstance(value, Mapping):
        return {k: _without_paths(v) for k, v in value.items() if k not in _PATH_KEYS and v is not None}
    return [_without_paths(entry) for entry in value] if isinstance(value, list | tuple) else value


def config_hash(config: Mapping[str, Any]) -> str:
    """Return the hash of the identity of a configuration; the order of its keys does not change it."""
    return hash_json(identity(config))


def differing_keys(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[tuple[str, Any, Any]]:
    """Return (dotted key, old value, new value) for each difference between two identities; None means "not set"."""
    before, after = identity(old), identity(new)
    keys = sorted(before.keys() | after.keys())
    return [(key, before.get(key), after.get(key)) for key in keys if before.get(key) != after.get(key)]
