"""Tuned recipes: the files that `zoo bench tune` writes, one per model, data set and size. No torch here.

Such a file is a layer of a configuration with the trials behind it:

    about: {title: ..., tuned: {model: unet, data: qata_cov19, size: tiny, trials: 8, ..., seal: ...}}
    model: {init_args: {lr: 0.0021, loss: {dice_per: image}}}

`zoo fit -c FILE` and `zoo bench run --recipes DIR` apply it. The seal covers the values and the trials: a changed file
cannot claim to be tuned.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from zoo.errors import ConfigError
from zoo.registry import read_yaml
from zoo.utils.config_files import check_config
from zoo.utils.config_values import list_leaves, plain_key, value_to_text
from zoo.utils.hashing import hash_json
from zoo.utils.seals import SEAL, add_seal
from zoo.utils.typed_content import read_content

Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Tuned:
    """What a recipe says of its trials.

    Attributes:
        model: Name of the model.
        data: Name of the data set.
        size: "tiny" or "published".
        encoder: Text encoder of the trials; empty for a model that reads no text.
        measure: What selects: the validation Dice of the checkpoint that `zoo test` would take.
        trials: Number of trials.
        best: Number of the selected trial, from 1.
        value: The measure of the selected trial, mean over the seeds.
        search: What all models of the search share: space, seed of the points, seeds and budget of a trial, split.
        table: One entry per trial: its values, its measure per seed, and its jobs.
        versions: Versions of the packages of the selected trial.
        seal: Hash of all other entries and of the values.
    """

    model: str
    data: str
    size: str
    encoder: str
    measure: str
    trials: int
    best: int
    value: float
    search: Mapping[str, Any]
    table: tuple[Any, ...]
    versions: Mapping[str, Any]
    seal: str


@dataclass(frozen=True, slots=True)
class TunedRecipe:
    """A tuned recipe.

    Attributes:
        path: The file.
        tuned: The trials.
        layer: The values, as a layer of a configuration.
    """

    path: Path
    tuned: Tuned
    layer: Mapping[str, Any]

    @property
    def trials(self) -> int:
        """Number of trials."""
        return self.tuned.trials

    @property
    def lr(self) -> float | None:
        """The learning rate; None where it was not searched."""
        rate = dict(_leaves(self.layer)).get("model.lr")
        return None if rate is None else float(rate)

    @property
    def pairs(self) -> Pairs:
        """The values as (key, value) pairs of a command line: `("model.loss.dice_per", "image")`."""
        return tuple((k, value_to_text(v)) for k, v in _leaves(self.layer))

    @property
    def search_hash(self) -> str:
        """The hash of what all models of a search share; rows of two searches are not compared."""
        return hash_json(dict(self.tuned.search))

    def claim(self, config: Mapping[str, Any] | None = None) -> dict[str, Any] | None:
        """Return what the manifest of a run says of its recipe; None where the run has other values.

        Args:
            config: The resolved configuration of the run.
        """
        has = None if config is None else dict(_leaves(config))
        if has is not None and any(has.get(key) != value for key, value in _leaves(self.layer)):
            return None
        return {"trials": self.trials, "search": self.search_hash, "seal": self.tuned.seal}


def recipe_name(model: str, data: str, size: str) -> str:
    """Return the name of the file of a recipe.

    Example:
        >>> recipe_name("unet", "qata_cov19", "tiny")
        'unet-qata_cov19-tiny.yaml'
    """
    return f"{model}-{data}-{size}.yaml"


def write_recipe(title: str, tuned: Mapping[str, Any], layer: Mapping[str, Any]) -> str:
    """Write a recipe as YAML, with its seal.

    Args:
        title: The recipe in one line.
        tuned: The fields of `Tuned` but the seal.
        layer: The values, as a layer of a configuration.
    """
    sealed = {**tuned, SEAL: _seal(tuned, layer)}
    content = json.loads(json.dumps({"about": {"title": title, "tuned": sealed}, **layer}))
    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=120, default_flow_style=None)


def read_tuned(path: Path) -> TunedRecipe | None:
    """Read a `-c` file as a tuned recipe; None where it does not claim to be one.

    Raises:
        ConfigError: The file cannot be read, is no recipe, or was changed after the trials.
    """
    content = read_yaml(path)
    about = content.get("about")
    if not isinstance(about, Mapping) or "tuned" not in about:
        return None
    layer = without_about(content)
    check_config(layer, str(path))
    tuned = read_content(Tuned, about["tuned"], str(path), "about.tuned")
    if tuned.seal != _seal({k: v for k, v in about["tuned"].items() if k != SEAL}, layer):
        raise ConfigError(
            f"{path}: the file was changed after the trials of `zoo bench tune`.",
            "Run the same `zoo bench tune` again, or remove `about`: then the file is configuration without a claim.",
        )
    return TunedRecipe(path, tuned, layer)


def check_names(recipe: TunedRecipe, model: str, data: str, size: str) -> None:
    """Check that a recipe belongs to the names of a command; an empty name is not compared.

    Raises:
        ConfigError: It belongs to another model, data set or size.
    """
    for key, wanted in (("model", model), ("data", data), ("size", size)):
        found = getattr(recipe.tuned, key)
        if wanted and found != wanted:
            raise ConfigError(
                f"{recipe.path}: the recipe was tuned for {key} {found}, not {wanted}.",
                "Name the recipe of this run, or remove `about` from a copy.",
            )


def without_about(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return the layer of a file without the `about` of a recipe."""
    about = content.get("about")
    is_recipe = isinstance(about, Mapping) and about.keys() <= {"title", "tuned"}
    return {key: value for key, value in content.items() if key != "about" or not is_recipe}


def _seal(tuned: Mapping[str, Any], layer: Mapping[str, Any]) -> str:
    return str(add_seal({"tuned": dict(tuned), "layer": dict(layer)})[SEAL])


def _leaves(layer: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield the dotted key, as on a command line, and the value of each leaf."""
    leaves = ((plain_key(key), value) for key, value in list_leaves(layer))
    return ((key, value) for key, value in leaves if not key.endswith(".class_path"))
