"""Lists of classes that come beside a collection of data sets: per data set, the texts of each label value."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datamodules.files.json_files import load_json
from zoo.errors import DataError, did_you_mean
from zoo.utils.seals import hash_file

INSTANCE_KEY = "instance_label"
_VALUE = re.compile(r"[1-9][0-9]{0,8}")
_FIX = "Get the list of the release that the images are of."


@dataclass(frozen=True, slots=True)
class ClassSet:
    """The classes of one data set.

    Attributes:
        texts: Label value to the texts of its class, the name first.
        instances: Whether the values of a label count objects and name no classes.
    """

    texts: Mapping[int, tuple[str, ...]]
    instances: bool


@dataclass(frozen=True, slots=True)
class ClassList:
    """A list of classes.

    Attributes:
        path: The file.
        sets: The data sets by name.
        sha256: SHA-256 of the file. Two releases give other names to a value, so results say which list they used.
    """

    path: Path
    sets: Mapping[str, ClassSet]
    sha256: str

    def find(self, name: str, where: Path) -> ClassSet:
        """The classes of a data set.

        Args:
            name: The data set.
            where: The file or folder that needs it, for the message.

        Raises:
            DataError: The list does not have it.
        """
        if name not in self.sets:
            hint = did_you_mean(name, self.sets, cutoff=0.7, prefix="`", suffix="`")
            problem = f"{where}: {self.path} has no data set `{name}`."
            raise DataError(problem, f"{hint} {_FIX}".strip(), "label_values")
        return self.sets[name]

    def other_texts(self, value: int, text: str) -> tuple[str, ...]:
        """The other texts of the classes of a value that have this text; empty where no class has it."""
        classes = (one.texts[value] for one in self.sets.values() if value in one.texts and text in one.texts[value])
        return tuple(dict.fromkeys(other for texts in classes for other in texts if other != text))


def read_class_list(path: Path) -> ClassList:
    """Read a list of classes: `{data set: {"1": [name, paraphrase, ...], ..., "instance_label": 0 or 1}}`.

    Raises:
        DataError: There is no such file, or it has another form.
    """
    content = load_json(path, f"{_FIX} Give another place with --data.classes.", _FIX)
    if not isinstance(content, dict) or not content:
        raise DataError(f"{path}: no `{{data set: {{value: [text, ...]}}}}` in it.", _FIX, "unreadable")
    return ClassList(
        path, {name: _parse_set(f"{path}: {name}", entry) for name, entry in content.items()}, hash_file(path)
    )


def parse_texts(place: str, entry: Any, fix: str = _FIX) -> tuple[dict[int, Any], bool]:
    """Check the keys of a data set in a list, or of the texts of one file: label values from 1, and `instance_label`.

    Args:
        place: Where the entry is, for messages.
        entry: The entry.
        fix: What to do about a wrong one.

    Returns:
        What each label value has, sorted by value, and whether values count objects.

    Raises:
        DataError: The entry has another form.
    """
    if not isinstance(entry, dict) or entry.get(INSTANCE_KEY) not in (0, 1):
        raise DataError(f"{place} has no `{INSTANCE_KEY}` of 0 or 1.", fix, "unreadable")
    keys = [key for key in entry if key != INSTANCE_KEY]
    for key in keys:
        if not _VALUE.fullmatch(key):
            raise DataError(f"{place} has the key `{key[:40]}`, which is no label value from 1.", fix, "unreadable")
    if not keys:
        raise DataError(f"{place} has no class.", fix, "unreadable")
    return {int(key): entry[key] for key in sorted(keys, key=int)}, bool(entry[INSTANCE_KEY])


def _parse_set(place: str, entry: Any) -> ClassSet:
    """Check the entry of a data set."""
    found, instances = parse_texts(place, entry)
    texts = {}
    for value, given in found.items():
        if not isinstance(given, list) or not given or not all(isinstance(one, str) and one.strip() for one in given):
            raise DataError(f"{place}, value {value}: a list of texts is expected.", _FIX, "unreadable")
        texts[value] = tuple(dict.fromkeys(one.strip() for one in given))
    return ClassSet(texts, instances)
