"""Prompt files: for each class one sentence and five concept sentences, checked against the card.

A file's `version` is that of its texts, a whole number from 1 that rises whenever one of them changes: two results
of one data set are of the same prompts where version and hash agree.
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
    """The file of a bundled prompt set ("btcv") or of the user's own ("my/prompts.yaml").

    Raises:
        TextError: There is no such file; the message lists the bundled ones.
    """
    path = Path(stem_or_path)
    if path.suffix not in {".yaml", ".yml"}:
        path = CONFIGS / "prompts" / f"{stem_or_path}.yaml"
    if not path.is_file():
        known = ", ".join(sorted(file.stem for file in (CONFIGS / "prompts").glob("*.yaml")))
        raise TextError(f"{path}: no such prompt file.", f"Give a path that ends in .yaml, or one of: {known}.")
    return path


def load_prompts(stem_or_path: str | Path, names: Sequence[str]) -> tuple[ClassPrompt, ...]:
    """The prompts of a data set's classes.

    Args:
        stem_or_path: Name of a bundled prompt set, or a path that ends in `.yaml`.
        names: The class names of the card, in label order.

    Returns:
        One prompt a class, in the order of `names`, the five `CONCEPTS` in theirs.

    Raises:
        TextError: No such file, no version, classes other than `names` or in another order, or
            a class without a sentence or a concept.
        ConfigError: The file is not YAML.
    """
    path = prompt_file(stem_or_path)
    content = read_yaml(path)
    _version(path, content)
    classes = content.get("classes")
    if not isinstance(classes, dict):
        raise TextError(f"{path}: `classes` is missing.", "Write `classes: {name: {sentence: ..., ...}}`.")
    _check_names(path, list(classes), list(names))
    return tuple(_prompt(path, name, classes[name]) for name in names)


def prompt_version(stem_or_path: str | Path) -> int:
    """The version of a prompt set.

    Raises:
        TextError: No such file, or no version in it.
        ConfigError: The file is not YAML.
    """
    path = prompt_file(stem_or_path)
    return _version(path, read_yaml(path))


def _version(path: Path, content: Mapping[str, Any]) -> int:
    found = content.get("version")
    if not isinstance(found, int) or isinstance(found, bool) or found < 1:
        raise TextError(f"{path}: version {found!r} is none.", "Write `version: 1`, and raise it with every change.")
    return found


def _check_names(path: Path, found: list[str], wanted: list[str]) -> None:
    """The same names in the same order, or an error that names the difference."""
    missing = [name for name in wanted if name not in found]
    spare = [name for name in found if name not in wanted]
    if missing:
        raise TextError(f"{path}: no prompt for the class '{missing[0]}'.", "Add it under `classes`.")
    if spare:
        raise TextError(f"{path}: '{spare[0]}' is no class of the data card.", f"Its classes: {', '.join(wanted)}.")
    if found != wanted:
        first = next(name for name, other in zip(found, wanted, strict=True) if name != other)
        raise TextError(f"{path}: the class '{first}' is out of order.", f"Write them as: {', '.join(wanted)}.")


def _prompt(path: Path, name: str, entry: Any) -> ClassPrompt:
    """One class's entry: exactly a sentence and the five concepts, each a text that is not empty."""
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
