"""The models of a plan: registered names, classes (`mynet.MyNet`) and files of cards (`./mynet.yaml`)."""

from __future__ import annotations

import inspect
import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.plan.job import Job
from zoo.cards import ModelCard
from zoo.config import find_card
from zoo.errors import ConfigError
from zoo.registry import MODELS, Card
from zoo.utils.plugins import import_object

_FIX = "Put its folder on the path, as in `PYTHONPATH=. zoo bench ...`, or correct the name."


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
