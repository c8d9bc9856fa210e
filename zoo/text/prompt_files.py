"""Prompt files: one sentence and five concept sentences per class, checked against the card.

The `version` of a file is a whole number from 1, which rises with each change of a text. Two results of a data set have
the same prompts where version and hash are equal.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from zoo.errors import TextError
from zoo.registry import CONFIGS, read_yaml
from zoo.types import ClassPrompt

CONCEPTS = ("shape", "location", "appearance", "contour", "texture")
"""The attributes of a class, in the order of `ClassPrompt.concepts`."""


def prompt_file(stem_or_path: str | Path) -> Path:
    """The path of a bundled prompt file ("btcv") or of a file of the user ("my/prompts.yaml").

    Raises:
        TextError: There is no such file; the message lists the bundled files.
    """
    path = Path(stem_or_path)
    if path.suffix.lower() not in {".yaml", ".yml"}:
        path = CONFIGS / "prompts" / f"{stem_or_path}.yaml"
    if not path.is_file():
        known = ", ".join(sorted(file.stem for file in (CONFIGS / "prompts").glob("*.yaml")))
        raise TextError(f"{path}: no such prompt file.", f"Give a path that ends in .yaml, or one of: {known}.")
    return path


def load_prompts(stem_or_path: str | Path, names: Sequence[str]) -> tuple[ClassPrompt, ...]:
    """The prompts of the classes of a data set.

    Args:
        stem_or_path: Name of a bundled prompt file, or a path that ends in `.yaml`.
        names: The class names of the card, in label order.

    Returns:
        One prompt per class in the order of `names`, with the five `CONCEPTS` in their order.

    Raises:
        TextError: See `read_classes`; there is no such file, or a class has no sentence or lacks a concept.
        ConfigError: The file is not YAML.
    """
    path = prompt_file(stem_or_path)
    classes = read_classes(path, names, "{sentence: ..., ...}")
    return tuple(_prompt(path, name, classes[name]) for name in names)


def read_classes(path: Path, names: Sequence[str], entry: str) -> dict[str, Any]:
    """Read the entry of each class from a file of prompts or wordings, with a version and the classes of the card.

    A bundled file may serve several cards, such as those of the groups of one archive: then it has the classes of all.

    Args:
        path: The file.
        names: The class names of the card, in label order.
        entry: What an entry looks like, for the message.

    Raises:
        TextError: There is no version, a class is missing, or a file that is not bundled has other classes or another
            order than `names`.
        ConfigError: The file is not YAML.
    """
    content = read_yaml(path)
    _version(path, content)
    classes = content.get("classes")
    if not isinstance(classes, dict):
        raise TextError(f"{path}: `classes` is missing.", f"Write `classes: {{name: {entry}}}`.")
    shared = path.is_relative_to(CONFIGS)
    _check_names(path, [name for name in names if name in classes] if shared else list(classes), list(names))
    return classes


def prompt_version(stem_or_path: str | Path) -> int:
    """The version of a prompt file.

    Raises:
        TextError: There is no such file, or it has no version.
        ConfigError: The file is not YAML.
    """
    path = prompt_file(stem_or_path)
    return _version(path, read_yaml(path))


def _version(path: Path, content: Mapping[str, Any]) -> int:
    found = content.get("version")
    if not isinstance(found, int) or isinstance(found, bool) or found < 1:
        raise TextError(
            f"{path}: version {found!r} is not a version.", "Write `version: 1`, and raise it with every change."
        )
    return found


def _check_names(path: Path, found: list[str], wanted: list[str]) -> None:
    """Check that the names and their order are the same; an error names the difference."""
    missing = [name for name in wanted if name not in found]
    unknown = [name for name in found if name not in wanted]
    if missing:
        raise TextError(f"{path}: no prompt for the class '{missing[0]}'.", "Add it under `classes`.")
    if unknown:
        raise TextError(f"{path}: '{unknown[0]}' is no class of the data card.", f"Its classes: {', '.join(wanted)}.")
    if found != wanted:
        first = next(name for name, other in zip(found, wanted, strict=True) if name != other)
        raise TextError(f"{path}: the class '{first}' is out of order.", f"Write them as: {', '.join(wanted)}.")


def _prompt(path: Path, name: str, entry: Any) -> ClassPrompt:
    """The prompt of one class: exactly a sentence and the five concepts, each a text that is not empty."""
    keys = ("sentence", *CONCEPTS)
    if not isinstance(entry, Mapping):
        raise TextError(f"{path}: class '{name}': a mapping is expected.", f"Give it {', '.join(keys)}.")
    unknown = [str(key) for key in entry if key not in keys]
    if unknown:
        raise TextError(f"{path}: class '{name}': unknown key '{unknown[0]}'.", f"Known: {', '.join(keys)}.")
    for key in keys:
        if not isinstance(entry.get(key), str) or not entry[key].strip():
            raise TextError(f"{path}: class '{name}' has no '{key}'.", "Write it as one short text.")
    return ClassPrompt(name, entry["sentence"].strip(), tuple(entry[key].strip() for key in CONCEPTS))
