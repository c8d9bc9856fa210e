"""Refuses a user's class that defines a method under its old name."""

from __future__ import annotations

from collections.abc import Mapping

from zoo.errors import ConfigError


def reject_old_names(cls: type, kind: str, renamed: Mapping[str, str]) -> None:
    """Refuse a class that defines a method under its old name.

    Args:
        cls: The class.
        kind: The kind of the class, for the message: "model", "data set".
        renamed: Old name -> new name.

    Raises:
        ConfigError: The class defines such a method; the message has the new names.
    """
    old = [name for name in renamed if name in vars(cls)]
    if old:
        new = ", ".join(f"`{name}` to `{renamed[name]}`" for name in old)
        raise ConfigError(f"The {kind} {cls.__name__} defines methods by their old names.", f"Rename {new}.")
