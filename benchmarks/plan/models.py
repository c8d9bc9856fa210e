"""The models of a plan: registered names, classes (`mynet.MyNet`), files of cards (`./mynet.yaml`), kinds (`all`)."""

from __future__ import annotations

import inspect
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.plan.job import Job
from datamodules.index.card import DataCard
from zoo.cards import ModelCard
from zoo.config import find_card
from zoo.engine.planned_size import choose_preset
from zoo.errors import ConfigError
from zoo.registry import MODELS, Card
from zoo.sizes import PLANNED_SIZES
from zoo.utils.plugins import import_object

_FIX = "Put its folder on the path, as in `PYTHONPATH=. zoo bench ...`, or correct the name."

KINDS: Mapping[str, Callable[[ModelCard], bool]] = {
    "all": lambda card: True,
    "vision": lambda card: card.text == "none",
    "text": lambda card: card.reads_text,
}
"""Words that stand for registered models -> whether a model is one of them."""


@dataclass(frozen=True, slots=True)
class PlanModel:
    """One model of a plan.

    Attributes:
        card: Its card; that of a class has only the class.
        source: The class, or the absolute path of the card; empty for a registered name.
    """

    card: Card
    source: str = ""

    @property
    def reads_text(self) -> bool:
        """Whether the model may read text: its text gain shows whether a model does whose card does not say so."""
        return ModelCard.of(self.card).text != "none"

    def takes_encoder(self) -> bool:
        """Whether the model has a text encoder that a plan can choose."""
        said = ModelCard.of(self.card).text
        if said or not self.source:
            return said not in ("", "none")
        starts = [vars(one).get("__init__") for one in inspect.getmro(_import_class(self.card))]
        return any("encoder" in inspect.signature(start).parameters for start in starts if start)


@dataclass(frozen=True, slots=True)
class Choice:
    """The names of models after each kind is replaced by its models.

    Attributes:
        names: The names in their order, each once.
        of_kind: The names that a kind alone gave. Such a model is left out of a data set for which it has no network;
            a model that somebody names is refused there.
        notes: The models that a kind leaves out because their cards are broken, one sentence per model.
    """

    names: tuple[str, ...]
    of_kind: frozenset[str] = frozenset()
    notes: tuple[str, ...] = ()


def expand_kinds(names: Sequence[str]) -> Choice:
    """Replace each kind among the names of models.

    Args:
        names: Names, classes, files of cards, and words of `KINDS`.

    Example:
        >>> expand_kinds(["unet", "vision"]).names[0]
        'unet'
    """
    found: list[str] = []
    broken: dict[str, str] = {}
    for name in names:
        if name not in KINDS:
            found.append(name)
            continue
        for card in MODELS:
            if card.broken:
                broken[card.name] = f"{card.name} is left out: {card.broken}"
            elif KINDS[name](ModelCard.of(card)):
                found.append(card.name)
    of_kind = frozenset(found) - {*names}
    return Choice(tuple(dict.fromkeys(found)), of_kind, tuple(broken.values()))


def find_obstacle(model: PlanModel, data: Card, size: str, changed: bool) -> str:
    """Say why a model has no network for a data set; empty where it has one.

    Args:
        model: The model.
        data: The card of the data set.
        size: A size; empty where only the dimensions are asked.
        changed: Whether options of the model are typed or matched, so that the network is not that of the card.
    """
    card, dims = ModelCard.of(model.card), DataCard.of(data).spatial_dims
    if card.spatial_dims and dims not in card.spatial_dims:
        return f"takes no {dims}-dimensional images, which '{data.name}' has"
    if size in PLANNED_SIZES:
        try:
            choose_preset(card, size)
        except ConfigError as error:
            return f"takes no --size {size}: {error.problem.partition(': ')[2].rstrip('.')}"
    if size == "published" and not changed and card.parameters and dims not in card.parameters:
        return f"has no published network for the {dims}-dimensional images of '{data.name}'"
    return ""


def find_model(value: str) -> PlanModel:
    """Find the model of a name, a class or the file of a card, as `zoo fit --model` does.

    Raises:
        ConfigError: There is no such name, file or class, or the card is broken.
    """
    is_file = "/" in value or value.endswith((".yaml", ".yml"))
    if not is_file and "." not in value:
        return PlanModel(MODELS.get(value))
    source = str(Path(value).expanduser().absolute()) if is_file else value
    card = find_card(MODELS, source, "model")
    if card.origin != source:  # the file is another name of a registered card
        return PlanModel(card)
    ModelCard.of(card)
    _import_class(card)
    return PlanModel(card, source)


def refuse_equal_names(models: Iterable[PlanModel]) -> None:
    """Refuse two models with one name, because tables and folders go by the name.

    Raises:
        ConfigError: Two models have the same name.
    """
    sources: dict[str, str] = {}
    for model in models:
        source = model.source or model.card.name
        if sources.setdefault(model.card.name, source) != source:
            raise ConfigError(
                f"{sources[model.card.name]} and {source} have the same name, '{model.card.name}'.",
                "Rename one of them: tables and folders go by the name.",
            )


def share_import_path(jobs: Iterable[Job]) -> None:
    """Let the processes of jobs import what this process imports from its working directory.

    A job runs with `python -P`, which leaves the working directory out.
    """
    here = str(Path.cwd())
    if not {"", here}.isdisjoint(sys.path) and any(job.source for job in jobs):
        paths = [*filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep)), here]
        os.environ["PYTHONPATH"] = os.pathsep.join(dict.fromkeys(paths))


def _import_class(card: Card) -> type[Any]:
    """Import the class of a card, so that a mistake is reported before the first job."""
    path = str((card.config.get("model") or {}).get("class_path", ""))
    module, _, name = path.rpartition(".")
    if not module:
        raise ConfigError(f"{card.place}: no class.", "Write `config: {model: {class_path: mynet.MyNet}}`.")
    try:
        found = import_object(path)
    except ImportError as error:
        raise ConfigError(f"{path} cannot be imported: {error}.", _FIX) from error
    if not inspect.isclass(found):
        raise ConfigError(f"{path}: the module '{module}' has no class '{name}'.", _FIX)
    return found
