"""Reads what the authors of a method state about its training: the YAML file of `zoo score --stated`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zoo.errors import ConfigError, did_you_mean
from zoo.utils.safe_text import is_printable
from zoo.utils.text_files import parse_yaml, read_text

KEYS = {
    "budget": "budget",
    "training_data": "training data",
    "pre_training": "pre-training",
    "text": "text",
    "parameters": "parameters",
    "paper": "paper",
    "url": "url",
}
"""Keys of the file -> words of tables. Blanks, hyphens and underscores of a key mean the same."""


def read_stated(path: Path) -> dict[str, str]:
    r"""Read the file.

    Args:
        path: A YAML file: key to a text, a number, a list or a mapping of such.

    Returns:
        Key of `KEYS` -> text of one line, in the order of `KEYS`.

    Raises:
        ConfigError: The file cannot be read, or it has an unknown key or another value.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = Path(folder) / "ours.yaml"
        ...     _ = file.write_text("budget: 300 epochs\npre-training: ImageNet\n")
        ...     read_stated(file)
        {'budget': '300 epochs', 'pre_training': 'ImageNet'}
    """
    try:
        content = parse_yaml(read_text(path))
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}.", "Give the YAML file with what you state.") from error
    except ValueError as error:
        raise ConfigError(f"{path}: not readable as YAML: {error}.", "Write `key: value` lines.") from error
    if not isinstance(content, Mapping) or not content:
        raise ConfigError(f"{path}: no `key: value` lines.", f"Known keys: {', '.join(KEYS)}.")
    plain = {_plain(key): key for key in KEYS}
    found: dict[str, str] = {}
    for name, value in content.items():
        key = plain.get(_plain(str(name)))
        if key is None:
            listed = f"Known keys: {', '.join(KEYS)}."
            raise ConfigError(f"{path}: unknown key {name}.", did_you_mean(str(name), KEYS, listed, most=1))
        if key in found:
            raise ConfigError(f"{path}: the key {key} is there twice.", "Keep one of the two.")
        found[key] = _as_text(value, f"{path}: {name}")
    return {key: found[key] for key in KEYS if found.get(key)}


def describe_stated(stated: Mapping[str, str]) -> str:
    """Return what is stated in one line; empty where nothing is."""
    return "; ".join(f"{KEYS.get(key, key)}: {text}" for key, text in stated.items())


def _as_text(value: Any, where: str) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_as_text(inner, where)}" for key, inner in value.items())
    if isinstance(value, list):
        return ", ".join(_as_text(inner, where) for inner in value)
    text = "" if value is None else " ".join(str(value).split())
    if not is_printable(text):
        raise ConfigError(f"{where}: {text!r} is not printable.", "Write it in plain text.")
    return text


def _plain(key: str) -> str:
    return re.sub(r"[\s_-]+", "", key.casefold())
