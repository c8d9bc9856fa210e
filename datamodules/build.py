"""A data set by name, without the command line: its card's layers and the overrides."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from datamodules.base import SegDataModule
from zoo.errors import ConfigError, UnknownNameError
from zoo.registry import DATA


def build_data(name: str, size: str = "published", **overrides: Any) -> SegDataModule:
    """The datamodule of a name.

    Args:
        name: As on `zoo list data`.
        size: One of the card's sizes.
        **overrides: Init arguments that win over the card's.

    Raises:
        UnknownNameError: No such set or size.
        ConfigError: The card is broken, or an argument does not fit.
    """
    card = DATA.get(name)
    if size not in card.sizes and card.sizes:
        raise UnknownNameError("size", size, card.sizes, f"zoo show {name}")
    data = card.config.get("data", {})
    module, _, kind = str(data.get("class_path", "")).rpartition(".")
    if not module:
        raise ConfigError(f"The card of '{name}' has no config.data.class_path.", f"Mend {card.origin}.")
    arguments = {**data.get("init_args", {}), **card.sizes.get(size, {}).get("data", {}).get("init_args", {})}
    made = getattr(import_module(module), kind)(**{**arguments, **overrides})
    if not isinstance(made, SegDataModule):
        raise ConfigError(f"{module}.{kind} is no SegDataModule.", f"Mend {card.origin}.")
    return made
