"""A user's own data: what a card cannot know comes from options and from a small file beside the data.

The facts that a model needs (classes, channels, prompts, track) are those of the module's `about`. A
registered set takes it from its card; here the card holds what all such sets share, and what is found
beside the data is laid over it before anything else is asked. `facts` is thus complete when the command
line hands it to the model, and is stored in the checkpoint like any other set's.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

from datamodules.bases.base import SegDataModule
from zoo.errors import ConfigError, DataError
from zoo.text.prompt_files import CONCEPTS, load_prompts, prompt_version
from zoo.types import TRACKS, ClassPrompt
from zoo.utils.hashing import hash_bytes, hash_json

_END = 1 << 16  # a packed volume's last bytes are its checksum, and most pictures are read whole
PROMPTS = "prompts.yaml"
"""The prompt file that is looked for beside the data."""

_FACTS: dict[str, tuple[Callable[[Any, int], bool], str]] = {
    "laterality": (lambda fact, dims: fact in ("image", "patient"), "image or patient"),
    "flips": (
        lambda fact, dims: isinstance(fact, list) and all(type(axis) is int and 0 <= axis < dims for axis in fact),
        "a list of axes, counted from 0: [1]",
    ),
    "tolerance": (lambda fact, dims: type(fact) in (int, float) and fact > 0, "a number above 0"),
    "empty_masks": (lambda fact, dims: isinstance(fact, bool), "true or false"),
    "exclusive": (lambda fact, dims: isinstance(fact, bool), "true or false"),
}
"""What a user may write beside the data: whether it can be that, and what is due."""


class OwnDataModule(SegDataModule):
    """Own data. Subclasses lay their facts over the card's with `describe`.

    Args:
        prompts: Prompt file (as those of `configs/prompts`), looked for beside the data first; default
            `prompts.yaml`, and where there is none, each class's name is all that is said of it.
        title: Name of the data, required by all that trains or scores a model (`facts`, `setup`). The folder is
            no part of a run's identity (it differs from machine to machine), so two sets of one's own
            are told apart by it; the commands of `zoo data` make no run and do without.
        **kwargs: See `SegDataModule`.
    """

    def __init__(self, prompts: str | None = None, title: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.prompt_path = prompts
        self.title = str(title if title is not None else "").strip()
        if self.title:
            self.card = replace(self.card, title=self.title)

    @property
    def facts(self) -> dict[str, Any]:
        """See `SegDataModule.facts`.

        Raises:
            ConfigError: The data has no title.
        """
        self._check_title()
        return super().facts

    def setup(self, stage: str | None = None) -> None:
        """See `SegDataModule.setup`; asks for the title too, since a third party's model may take no facts.

        Raises:
            ConfigError: The data has no title.
        """
        self._check_title()
        super().setup(stage)

    @cached_property
    def prompts(self) -> tuple[ClassPrompt, ...]:
        """The class prompts: of a file, or the plain names."""
        file = self._prompt_file
        return plain_prompts(self.labels.names) if file is None else load_prompts(file, self.labels.names)

    @cached_property
    def prompt_version(self) -> int:
        """See `SegDataModule.prompt_version`."""
        return 0 if self._prompt_file is None else prompt_version(self._prompt_file)

    @cached_property
    def data_hash(self) -> str:
        """SHA-256 over each case's files, by name, size and both ends.

        Two folders of one's own may have the same title and case names: their splits then have one hash, and
        this tells them apart. It depends on no path and no date, so that a copy of the data is the same data.
        """
        files = {
            case.case_id: [_print_of(path) for path in (*case.images, *([case.label] if case.label else []))]
            for case in self.cases.values()
        }
        return hash_json(files)

    @property
    def _prompt_file(self) -> Path | str | None:
        """The prompt file: beside the data, or as it was named; None where there is none."""
        named = self.prompt_path or PROMPTS
        beside = inside(self.folder, named)
        if beside.is_file() or self.prompt_path:
            return beside if beside.is_file() else named
        return None

    def describe(self, **facts: Any) -> None:
        """Lay facts over the card's.

        Raises:
            ConfigError: The track is none, or says that there are reports where there are none.
            DataError: A fact from beside the data is not of its kind.
        """
        for key, (fits, due) in _FACTS.items():
            if key in facts and not fits(facts[key], self.card.spatial_dims):
                raise DataError(f"{self.folder}: {key} is {facts[key]!r} beside the data.", f"Write {due}.")
        if facts["track"] not in TRACKS:
            raise ConfigError(f"{self.name}: the text track '{facts['track']}' is unknown.", f"Known: {TRACKS}.")
        facts |= {"flips": tuple(facts.get("flips", ()))}
        self.card = replace(self.card, **facts)
        if self.card.exclusive and overlapping(self.card.classes):
            fix = "Write `exclusive: false`, or leave it out."
            raise DataError(f"{self.folder}: exclusive classes with a common value.", fix)

    def _check_title(self) -> None:
        if not self.title:
            raise ConfigError(
                f"{self.name}: the data has no title.", "Give --data.title NAME: runs and tables go by it."
            )


def plain_prompts(names: Sequence[str]) -> tuple[ClassPrompt, ...]:
    """Prompts of classes of which only the names are known: "Left kidney.", "Left kidney, shape.", ..."""
    prompts = []
    for name in names:
        words = name.replace("_", " ").capitalize()
        prompts.append(ClassPrompt(name, f"{words}.", tuple(f"{words}, {concept}." for concept in CONCEPTS)))
    return tuple(prompts)


def class_values(classes: Any, where: str) -> dict[str, tuple[int, ...]]:
    """The classes as a card has them: snake name to label values.

    Args:
        classes: Name to one value or several; 0 is background and no class. A value is a whole number, or the
            colour "#rrggbb" that a mask has, which becomes red * 65536 + green * 256 + blue.
        where: The file or option, for messages.

    Raises:
        DataError: Not such a mapping, or two names are the same in snake case.
    """
    if not isinstance(classes, Mapping) or not classes:
        raise DataError(f"{where}: the classes are missing.", "Write `classes: {lesion: [255]}`, values of the masks.")
    found: dict[str, tuple[int, ...]] = {}
    for name, values in classes.items():
        listed = values if isinstance(values, list | tuple) else [values]
        numbers = [_label_value(value) for value in listed]
        snake = re.sub(r"\W+", "_", str(name).strip().lower()).strip("_")
        if not listed or not snake or snake in found or not all(numbers):
            raise DataError(
                f"{where}: class '{name}': {values!r}.",
                "Give each name its own label values, whole numbers above 0, or colours like '#ff0000'.",
            )
        found[snake] = tuple(numbers)
    return found


def has_colours(classes: Any, where: str) -> bool:
    """Whether the classes are given by colours.

    Raises:
        DataError: Some are and some are not.
    """
    groups = classes.values() if isinstance(classes, Mapping) else []
    values = [value for group in groups for value in (group if isinstance(group, list | tuple) else [group])]
    kinds = {_is_colour(value) for value in values}
    if len(kinds) > 1:
        raise DataError(f"{where}: some classes are colours and some are numbers.", "Give all of them as one kind.")
    return kinds == {True}


def _is_colour(value: Any) -> bool:
    return isinstance(value, str) and re.fullmatch(r"#[0-9a-fA-F]{6}", value.strip()) is not None


def _label_value(value: Any) -> int:
    """A class's value as a whole number; 0 where it is none."""
    if _is_colour(value):
        return int(value.strip()[1:], 16)
    if isinstance(value, float) and value.is_integer():  # JSON and YAML writers make 1.0 of 1
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0


def overlapping(classes: Mapping[str, Sequence[int]]) -> bool:
    """Whether a value belongs to two classes: regions that lie in each other."""
    values = [value for listed in classes.values() for value in listed]
    return len(set(values)) < len(values)


def _print_of(path: Path) -> list[str | int]:
    """Name and size of a file, and the hash of its first and last `_END` bytes."""
    size = path.stat().st_size
    with path.open("rb") as file:
        ends = file.read(_END)
        file.seek(max(size - _END, 0))
        ends += file.read(_END)
    return [path.name, size, hash_bytes([ends])]


def inside(folder: Path, name: str) -> Path:
    """A file that a table names, relative to its folder or absolute; it may have been written under Windows."""
    path = folder / Path(name).expanduser()
    return path if path.exists() else folder / Path(name.replace("\\", "/")).expanduser()
