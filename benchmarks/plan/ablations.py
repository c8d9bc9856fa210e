"""The ablation of a model: `no_text`, and the variants of `configs/ablation/<model>.yaml`. No torch here.

A variant is the full model with some changed arguments. Every model that reads text has the variant `no_text`:

    about: the question of the ablation
    variants:
      narrow: {about: half as wide, model: {width: 24}}
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo.cards import ModelCard
from zoo.errors import ConfigError, did_you_mean
from zoo.registry import CONFIGS, Card, read_yaml
from zoo.utils.config_values import value_to_text

ABLATIONS = CONFIGS / "ablation"
"""The folder of the ablations."""

_NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
_PLAIN = (str, int, float, bool, type(None))


@dataclass(frozen=True, slots=True)
class Variant:
    """One variant of a model.

    Attributes:
        name: Name in snake_case; empty for the full model.
        about: The difference to the full model, in one line.
        changes: Sorted (argument, value) pairs of the model's class, as on the command line.
    """

    name: str = ""
    about: str = ""
    changes: tuple[tuple[str, str], ...] = ()


FULL = Variant()

NO_TEXT = Variant("no_text", "one learned vector in place of the text", (("use_text", "false"),))
"""The variant of every model that reads text."""


def choose_variants(models: Iterable[Card], names: Sequence[str] = ()) -> dict[str, tuple[Variant, ...]]:
    """Choose the variants of each model that has any: `no_text`, then those of its file in their order.

    Args:
        models: Cards of the models.
        names: Names of the variants, each of at least one ablation; empty for all variants.

    Raises:
        ConfigError: An ablation is broken, no model has an ablation, or no ablation has a variant of this name.
    """
    cards = list(models)
    variants = {card.name: _variants_of(card) for card in cards}
    ablations = {name: found for name, found in variants.items() if found}
    if not ablations:
        known = ", ".join(sorted(path.stem for path in ABLATIONS.glob("*.yaml"))) or "none"
        fix = "Remove --ablations and --variants, or write configs/ablation/<model>.yaml."
        raise ConfigError(f"No ablation exists for {' or '.join(variants)}.", f"Ablations exist for: {known}. {fix}")
    _refuse_unknown(names, ablations)
    return {model: tuple(r for r in variants if not names or r.name in names) for model, variants in ablations.items()}


def _variants_of(card: Card) -> tuple[Variant, ...]:
    path = find_ablation(card)
    own = read_ablation(path) if path is not None else ()
    return (NO_TEXT, *own) if ModelCard.of(card).reads_text else own


def find_ablation(card: Card) -> Path | None:
    """Find the file of a model's ablation, None without one. A plug-in with the name of a zoo model has none."""
    path = ABLATIONS / f"{card.name}.yaml"
    return path if card.origin == "zoo" and path.is_file() else None


def read_ablation(path: Path) -> tuple[Variant, ...]:
    """Read the variants of a file, in its order.

    Raises:
        ConfigError: The file is not an ablation. The message gives the file, the variant and the mistake.
    """
    content = read_yaml(path)
    if "rungs" in content:
        raise ConfigError(f"{path}: the key 'rungs' has a new name.", "Write `variants`.")
    _only(content, {"about", "variants"}, str(path), "An ablation has `about` and `variants`.")
    entries = content.get("variants")
    if not isinstance(entries, Mapping) or not entries:
        raise ConfigError(f"{path}: no variants.", "Write `variants:` and under it `name: {about: ..., model: {...}}`.")
    variants: list[Variant] = []
    for name, entry in entries.items():
        variant = _variant(path, name, entry)
        same = (other.name for other in (NO_TEXT, *variants) if other.changes == variant.changes or other.name == name)
        equal = next(same, None)
        if equal:
            raise ConfigError(f"{path}: variants {equal} and {variant.name} change the same.", "Remove one of them.")
        variants.append(variant)
    return tuple(variants)


def _variant(path: Path, name: object, entry: object) -> Variant:
    where = f"{path}: variant '{name}'"
    if not isinstance(name, str) or not _NAME.fullmatch(name):  # the name is part of a folder's name
        raise ConfigError(f"{where}: not a name in snake_case.", "Write it like frozen_text.")
    if not isinstance(entry, Mapping):
        raise ConfigError(f"{where}: a mapping is expected.", "Write {about: ..., model: {...}}.")
    _only(entry, {"about", "model"}, where, "A variant has `about` and `model`.")
    about, changes = entry.get("about"), entry.get("model")
    if not isinstance(about, str) or not about.strip():
        raise ConfigError(f"{where}: no `about`.", "Describe the change in one line, which tables print.")
    if not isinstance(changes, Mapping) or not changes:
        raise ConfigError(f"{where} changes nothing.", "Write `model: {argument: value}`.")
    return Variant(name, " ".join(about.split()), tuple(sorted(_changed(where, changes))))


def _changed(where: str, changes: Mapping[Any, Any]) -> Iterator[tuple[str, str]]:
    """Yield (argument, value) pairs. An option of a group has a dotted name such as `released.tokens`."""
    for key, value in changes.items():
        name = _argument(where, key)
        if isinstance(value, Mapping) and value and name != "init_args":
            yield from ((f"{name}.{_argument(where, option)}", _value(where, option, v)) for option, v in value.items())
        else:
            yield name, _value(where, name, value)


def _only(mapping: Mapping[Any, Any], known: set[str], where: str, fix: str) -> None:
    unknown = sorted(str(key) for key in mapping.keys() - known)
    if unknown:
        raise ConfigError(f"{where}: unknown keys {', '.join(unknown)}.", fix)


def _argument(where: str, key: object) -> str:
    if not isinstance(key, str) or not key.isidentifier():
        raise ConfigError(f"{where}: '{key}' is not an argument of a model.", "Write `argument: value` pairs.")
    return key


def _value(where: str, key: object, value: object) -> str:
    """Convert a value to the text of a command line."""
    items = value if isinstance(value, list) else [value]
    if not all(isinstance(item, _PLAIN) for item in items):
        raise ConfigError(
            f"{where}: the value of {key} is not plain.", "Write a text, a number, true, false or a list."
        )
    return value_to_text(value)


def _refuse_unknown(names: Sequence[str], ablations: Mapping[str, Sequence[Variant]]) -> None:
    known = sorted({variant.name for variants in ablations.values() for variant in variants})
    unknown = [name for name in names if name not in known]
    if unknown:
        hints = dict.fromkeys(did_you_mean(name, known, most=1) for name in unknown)
        lists = "; ".join(
            f"{model}: {', '.join(variant.name for variant in variants)}" for model, variants in ablations.items()
        )
        raise ConfigError(
            f"Unknown variant {', '.join(unknown)}.", " ".join([*filter(None, hints), f"The variants of {lists}."])
        )
