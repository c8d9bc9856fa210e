"""The file of a plan: a YAML matrix. Every key is checked before a job starts.

    about: the question of the comparison
    models: [unet, bipvl]
    data:
      hippocampus: {folds: 5, overrides: {data.epoch_samples: 144}}
      phantom_chest: {}
    seeds: [0, 1, 2]
    trainer: cpu

A name means a plan of the zoo, `configs/bench/<name>.yaml`, or a public data set without such a file: its plan is
`configs/bench/any/public_set.yaml` with this data set. A value with a slash or with `.yaml` means a file.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from benchmarks.plan.expand import DataEntry, Matrix
from benchmarks.plan.job import DEFAULT_TEXTS, EQUAL, RECIPES, TEXTS, KeyValues, Settings
from benchmarks.plan.matched import RATES, MatchedOptions
from datamodules.acquire.sources import load_source
from datamodules.index.card import DataCard
from zoo.config import check_seed
from zoo.errors import ConfigError, UnknownNameError, did_you_mean
from zoo.registry import CONFIGS, DATA, Card, read_yaml
from zoo.sizes import PLANNED_SIZES, SIZES
from zoo.utils.config_files import check_overrides
from zoo.utils.config_values import value_to_text

PLANS = CONFIGS / "bench"
"""The folder of the plans of the zoo."""

PUBLIC_SET = PLANS / "any" / "public_set.yaml"
"""The plan of a public data set that has no file of its own."""

KEYS = (
    *("about", "models", "data", "seeds", "variants", "texts", "size", "trainer", "devices", "encoder"),
    *("budget", "overrides", "no_text", "matched", "matched_lr", "recipes"),
)
DATA_KEYS = ("root", "folds", "overrides")

SECTIONS = ("trainer.", "data.", "model.")
OWN = {
    "data.text": "the benchmark itself tests each text",
    "data.seed": "seeds",
    "data.root": "root of the data set",
    "data.fold": "folds of the data set",
    "data.folds": "folds of the data set",
    "trainer.devices": "devices",
    "seed_everything": "seeds",
}
"""Overrides that a plan sets itself -> the key to use instead."""


def list_plans() -> list[str]:
    """List the names of the plans of the zoo: its files, and the public data sets that have no file."""
    return sorted({*_list_files(), *_list_public_sets()})


def describe_plan(name: str) -> str:
    """Return what a plan of the zoo compares."""
    return str(_read_content(name)[1].get("about", ""))


def read_plan(value: str) -> tuple[Path, Matrix, dict[str, Any]]:
    """Read the plan of `--plan VALUE`: its file, its matrix and its content.

    Raises:
        ConfigError: There is no such plan or file, or the file is not a matrix.
    """
    path, content = _read_content(value)
    return path, parse_matrix(content, str(path)), content


def read_matrix(path: Path) -> tuple[Matrix, dict[str, Any]]:
    """Read the matrix of a file, and the content of the file.

    Raises:
        ConfigError: The file is not a matrix. The message gives the file, the key and the mistake.
    """
    content = read_yaml(path)
    return parse_matrix(content, str(path)), content


def _read_content(value: str) -> tuple[Path, dict[str, Any]]:
    if "/" in value or value.endswith((".yaml", ".yml")):
        path = Path(value).expanduser()
        if not path.is_file():
            raise ConfigError(f"{path}: no such file.", f"Give a file, or one of {', '.join(list_plans())}.")
        return path, read_yaml(path)
    if value in _list_files():
        path = PLANS / f"{value}.yaml"
        return path, read_yaml(path)
    if value not in DATA or not _is_public(DATA.get(value)):
        raise UnknownNameError("plan", value, list_plans(), "zoo bench plan")
    content = read_yaml(PUBLIC_SET)
    card = DataCard.of(DATA.get(value))
    about = str(content["about"]).replace("{title}", card.title)
    return PUBLIC_SET, content | {"about": about, "data": [card.name]}


def _list_files() -> list[str]:
    return sorted(path.stem for path in PLANS.glob("*.yaml"))


def _list_public_sets() -> list[str]:
    return [card.name for card in DATA if not card.broken and _is_public(card)]


def _is_public(card: Card) -> bool:
    """Return whether somebody published a data set of the zoo."""
    return card.origin == "zoo" and not DataCard.of(card).embedded and load_source(DataCard.of(card)) is not None


def parse_matrix(content: Mapping[str, Any], where: str) -> Matrix:
    """Make the matrix of the content of a file.

    Raises:
        ConfigError: The content is not a matrix. The message gives the file, the key and the mistake.
    """
    _known_keys(content, KEYS, where)
    for key in ("models", "data"):
        if not content.get(key):
            raise ConfigError(f"{where}: no `{key}`.", f"Write `{key}: [name, ...]`.")
    budget = read_budget(content.get("budget", EQUAL), f"{where}: budget")
    settings = Settings(
        size=_word(content.get("size", ""), f"{where}: size", ("", *SIZES, *PLANNED_SIZES)),
        trainer=_word(content.get("trainer", ""), f"{where}: trainer"),
        devices=_count(content.get("devices"), f"{where}: devices"),
        overrides=_overrides(content.get("overrides", {}), where),
        recipe=budget[0],
    )
    return Matrix(
        models=_words(content["models"], f"{where}: models"),
        data=_data(content["data"], where),
        seeds=[check_seed(seed, f"{where}: seeds") for seed in _numbers(content.get("seeds", [0]), f"{where}: seeds")],
        settings=settings,
        encoder=_word(content.get("encoder", ""), f"{where}: encoder"),
        variants=read_all_or_names(content.get("variants"), f"{where}: variants"),
        texts=read_texts(content.get("texts", list(DEFAULT_TEXTS)), f"{where}: texts"),
        recipes=budget,
        no_text=read_all_or_names(content.get("no_text"), f"{where}: no_text"),
        matched=MatchedOptions(
            _overrides(_without_groups(content.get("matched", {})), where, "matched"),
            _word(content.get("matched_lr", RATES[0]), f"{where}: matched_lr", RATES),
            _word(content.get("recipes", ""), f"{where}: recipes"),
        ),
    )


def _data(content: Any, where: str) -> dict[str, DataEntry]:
    if not isinstance(content, Mapping):
        return {name: DataEntry() for name in _words(content, f"{where}: data")}
    entries = {}
    for name, entry in content.items():
        at, given = f"{where}: data.{name}", entry or {}
        if not isinstance(given, Mapping):
            raise ConfigError(f"{at}: a mapping is expected.", f"Its keys may be {', '.join(DATA_KEYS)}.")
        _known_keys(given, DATA_KEYS, at)
        chosen, folds = _folds(given.get("folds"), at)
        overrides = _overrides(given.get("overrides", {}), at)
        entries[str(name)] = DataEntry(_word(given.get("root", ""), f"{at}.root"), overrides, chosen, folds)
    return entries


def _folds(value: Any, at: str) -> tuple[tuple[int | None, ...], int | None]:
    """Parse folds: `5` means all of five folds, `[0, 1]` two folds of the default number."""
    if value is None:
        return (None,), None
    if isinstance(value, int) and not isinstance(value, bool):
        if value < 2:
            raise ConfigError(f"{at}.folds: {value} is no number of folds.", "Write at least 2, or folds such as [0].")
        return tuple(range(value)), value
    return tuple(_numbers(value, f"{at}.folds")), None


def _overrides(value: Any, where: str, name: str = "overrides") -> KeyValues:
    if not isinstance(value, Mapping):
        raise ConfigError(f"{where}: {name} is not a mapping.", f"Write `{name}: {{trainer.max_steps: 100}}`.")
    for key in value:
        refuse_key(str(key), f"{where}: {name}")
    check_overrides(value.items(), f"{where}: {name}")
    return tuple(sorted((str(key), value_to_text(entry)) for key, entry in value.items()))


def _without_groups(value: Any) -> Any:
    """Return overrides with one key per option: `model.loss: {dice: 1}` as `model.loss.dice: 1`."""
    if not isinstance(value, Mapping):
        return value
    groups = ((str(key), one if isinstance(one, Mapping) and one else None, one) for key, one in value.items())
    return dict(
        pair
        for key, group, one in groups
        for pair in ([(f"{key}.{name}", option) for name, option in group.items()] if group else [(key, one)])
    )


def refuse_key(key: str, where: str) -> None:
    """Refuse a key that cannot be overridden for a whole plan.

    Raises:
        ConfigError: The key has no section, or the plan itself sets it.
    """
    if not key.startswith(SECTIONS):
        section, _, rest = key.partition(".")
        hint = did_you_mean(f"{section}.", SECTIONS, "Every key begins with trainer., data. or model.", 1, suffix=rest)
        raise ConfigError(f"{where}: unknown key '{key}'.", hint)
    plain = key.replace(".init_args.", ".")
    if plain in OWN:
        raise ConfigError(f"{where}: {key} cannot be set here.", f"Use instead: {OWN[plain]}.")


def read_budget(value: Any, where: str) -> list[str]:
    """Read one budget or several.

    Raises:
        ConfigError: A budget is unknown.
    """
    return _words(value, where, RECIPES)


def read_all_or_names(value: Any, where: str) -> list[str] | None:
    """Read `all` (an empty list), names, or nothing (None)."""
    if value in (None, False):
        return None
    return [] if value in ("all", True) else _words(value, where)


def read_texts(value: Any, where: str) -> tuple[str, ...]:
    """Read the texts of the tests; the true text is always the first.

    Raises:
        ConfigError: A text is unknown.
    """
    items = value if isinstance(value, list) else [value]
    texts = _words(["true" if item is True else item for item in items], where, TEXTS)  # YAML reads `true` as a boolean
    return ("true", *(text for text in texts if text != "true"))  # every text is compared with the true text


def _words(value: Any, where: str, known: Iterable[str] | None = None) -> list[str]:
    items = value if isinstance(value, list) else [value]
    if not items:
        raise ConfigError(f"{where}: empty.", "Give at least one name.")
    words = [_word(item, where, known) for item in items]
    return list(dict.fromkeys(words))


def _word(value: Any, where: str, known: Iterable[str] | None = None) -> str:
    if not isinstance(value, str):
        raise ConfigError(
            f"{where}: {json.dumps(value, default=str)} is not a name.", "Write a name, or a list of names."
        )
    if known is not None and value not in known:
        choices = [word for word in known if word]
        hint = did_you_mean(value, choices, f"Choose one of {', '.join(choices)}.", most=1)
        raise ConfigError(f"{where}: unknown '{value}'.", hint)
    return value


def _numbers(value: Any, where: str) -> list[int]:
    items = value if isinstance(value, list) else [value]
    if not items or not all(isinstance(item, int) and not isinstance(item, bool) and item >= 0 for item in items):
        raise ConfigError(
            f"{where}: {json.dumps(value, default=str)} is not a list of whole numbers.", "Write [0, 1, 2]."
        )
    return list(dict.fromkeys(items))


def _count(value: Any, where: str) -> int | None:
    if value is None:
        return None
    [count] = _numbers([value], where)
    if not count:
        raise ConfigError(f"{where}: 0.", "Write at least 1.")
    return count


def _known_keys(mapping: Mapping[Any, Any], known: Iterable[str], where: str) -> None:
    for key in mapping:
        if key == "rungs" and "variants" in known:
            raise ConfigError(f"{where}: the key 'rungs' has a new name.", "Write `variants`.")
        if key not in known:
            hint = did_you_mean(str(key), known, f"Known: {', '.join(known)}.", most=1)
            raise ConfigError(f"{where}: unknown key '{key}'.", hint)
