"""Says which class each value of a label image is: by the data card, by class numbers, by names, or by the user."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.scoring.files import plain_name
from zoo.engine.run_folder import RunFolder
from zoo.errors import ConfigError, DataError, RunError, UnknownNameError
from zoo.preprocessing.apply import to_classes
from zoo.types import LabelSpace
from zoo.utils.text_files import read_json

CARD, NUMBERS = "card", "numbers"
"""Words of `--values`: the values of the data card, or the number of each class, from 1."""

LISTING = "dataset.json"
"""nnU-Net's listing of the classes, which lies beside its predictions."""

_BACKGROUND = ("background", "ignore")
_FIX = "`--values 1=CLASS,2=CLASS` says which class a value is; `--values numbers`: the number of the class, from 1."


@dataclass(frozen=True, slots=True)
class ClassValues:
    """The values of label images that belong to each class.

    Attributes:
        labels: The classes with their values.
        background: Values that are no class.
        kind: `CARD`, `NUMBERS`, or the text that says where the values come from.
        note: What a user should know of them; empty if nothing.
    """

    labels: LabelSpace
    background: tuple[int, ...] = ()
    kind: str = CARD
    note: str = ""

    def classes_of(self, raw: NDArray[np.int32], path: Path) -> NDArray[np.uint8]:
        """Convert the values of a label image to classes, in the layout of `Native.label`.

        Raises:
            DataError: A value is unknown.
        """
        known = {value for values in self.labels.values for value in values}
        dropped = [value for value in self.background if value not in known]
        raw = np.where(np.isin(raw, dropped), np.int32(0), raw) if dropped else raw
        if len(self.labels.names) == 1 and self.kind == CARD:
            raw = _with_one_value(raw, self.labels.values[0], dropped)
        try:
            return to_classes(raw, self.labels, path)
        except DataError as error:
            listed = ", ".join(
                f"{'+'.join(map(str, values))} {name}"
                for name, values in zip(self.labels.names, self.labels.values, strict=True)
            )
            raise DataError(f"{error.problem} Known are 0 and {listed} ({self.kind}).", _FIX, "label_values") from error


def choose_values(given: str, folder: Path, labels: LabelSpace, background: tuple[int, ...]) -> ClassValues:
    """Choose what the values of the label images in a folder mean.

    Args:
        given: `--values`; empty to find it out: `dataset.json` of nnU-Net names the classes, a folder of `zoo predict`
            has their numbers, and any other program writes the values of the data card.
        folder: The folder of the label images.
        labels: The classes, with the values of the data card.
        background: Values of the data card that the protocol leaves out.

    Raises:
        ConfigError: `--values` has another form, or an unknown class, or it lacks a class.
        RunError: `dataset.json` cannot be read, or it has other values than the data card and other names.
    """
    if given and given not in (CARD, NUMBERS):
        return ClassValues(_parse_pairs(given, labels), _zeros(given), "--values")
    if given == NUMBERS or (not given and is_from_zoo(folder)):
        return ClassValues(number_classes(labels), (), NUMBERS)
    card = ClassValues(labels, background)
    return card if given == CARD or not (folder / LISTING).is_file() else _by_listing(folder / LISTING, card)


def number_classes(labels: LabelSpace) -> LabelSpace:
    """Return the classes with the values that `zoo predict` writes: their numbers; of a single class also white."""
    single = len(labels.names) == 1
    values = tuple((1, 255) if single else (number,) for number in range(1, len(labels.names) + 1))
    return LabelSpace(labels.names, values, labels.exclusive)


def is_from_zoo(folder: Path) -> bool:
    """Return whether a folder lies where `zoo predict` writes: in a run folder."""
    run = RunFolder(folder.resolve().parent)
    return folder.resolve().name.startswith("predictions") and run.config.is_file() and run.manifest.is_file()


def _with_one_value(raw: NDArray[np.int32], values: tuple[int, ...], dropped: list[int]) -> NDArray[np.int32]:
    """Accept 1 and 255 for the only class, whatever value the data card has: most programs write one of them."""
    found = np.unique(raw[raw != 0])
    if len(found) == 1 and found[0] in (1, 255) and found[0] not in (*values, *dropped):
        return np.where(raw == found[0], np.int32(values[0]), raw)
    return raw


def _parse_pairs(given: str, labels: LabelSpace) -> LabelSpace:
    values: dict[str, list[int]] = {name: [] for name in labels.names}
    for pair in given.split(","):
        number, equals, name = (part.strip() for part in pair.partition("="))
        if not equals or not re.fullmatch(r"\d{1,9}", number):
            raise ConfigError(
                f"zoo score: --values has '{pair.strip()}'.", f"Write {CARD}, {NUMBERS} or 1=CLASS,2=CLASS."
            )
        if name not in (*labels.names, *_BACKGROUND, "0"):
            raise UnknownNameError("class", name, (*labels.names, _BACKGROUND[0]), "zoo show DATA")
        if name in values:
            values[name].append(int(number))
    return _space(
        values, labels, "zoo score: --values", "a value that no file has stands for a class without any voxel"
    )


def _zeros(given: str) -> tuple[int, ...]:
    pairs = [pair.partition("=") for pair in given.split(",")]
    return tuple(int(number) for number, _, name in pairs if name.strip() in (*_BACKGROUND, "0"))


def _space(values: Mapping[str, list[int]], labels: LabelSpace, where: str, hint: str) -> LabelSpace:
    lacking = [name for name, some in values.items() if not some]
    if lacking:
        raise ConfigError(f"{where}: no value for {', '.join(lacking)}.", f"Give each class a value; {hint}.")
    every = [value for some in values.values() for value in some]
    if 0 in every:
        raise ConfigError(f"{where}: 0 for a class.", "0 is always the background.")
    double = sorted({value for value in every if every.count(value) > 1})
    if labels.exclusive and double:
        raise ConfigError(f"{where}: the value {double[0]} for two classes.", "These classes exclude each other.")
    return LabelSpace(labels.names, tuple(tuple(values[name]) for name in labels.names), labels.exclusive)


def _by_listing(path: Path, card: ClassValues) -> ClassValues:
    """Read the values of nnU-Net's `dataset.json` by the names of the classes.

    Where it has other names but the values of the data card, those values hold, and a note says so.
    """
    listed = _read_listing(path)
    named = {plain_name(name): values for name, values in listed.items()}
    wanted = {name: named.get(plain_name(name), []) for name in card.labels.names}
    found = {value for values in listed.values() for value in values} - {0}
    if all(wanted.values()):
        labels = _space(wanted, card.labels, str(path), "or give --values")
        return ClassValues(labels, tuple(sorted(found)), path.name)
    of_card = dict(zip(card.labels.names, card.labels.values, strict=True))
    known = {value for values in of_card.values() for value in values} | set(card.background)
    other = [name for name, values in wanted.items() if values and set(values) != set(of_card[name])]
    names = ", ".join(listed)
    if other or not found <= known:
        raise RunError(f"{path}: its classes are {names}, not {', '.join(card.labels.names)}.", _FIX)
    note = f"{path}: other names of classes than in the data card ({names}); the values of the card are used."
    return ClassValues(card.labels, card.background, card.kind, note)


def _read_listing(path: Path) -> dict[str, list[int]]:
    """Return name -> values; nnU-Net writes {"liver": 1} or {"tumour": [1, 2]}, its first version {"1": "liver"}."""
    try:
        content = read_json(path)
    except (OSError, ValueError) as error:
        raise RunError(f"{path}: not readable JSON: {error}.", "Correct it, or give --values.") from error
    labels: Any = content.get("labels") if isinstance(content, dict) else None
    found: dict[str, list[int]] = {}
    for key, value in labels.items() if isinstance(labels, dict) else ():
        name, values = (value, [int(key)]) if isinstance(value, str) and key.isdecimal() else (key, value)
        values = values if isinstance(values, list) else [values]
        if not all(isinstance(one, int) for one in values):
            raise RunError(f"{path}: labels.{key} is {value!r}.", "Correct it, or give --values.")
        if plain_name(str(name)) not in _BACKGROUND:
            found[str(name)] = values
    if not found:
        raise RunError(f"{path}: it has no labels.", "Correct it, or give --values.")
    return found
