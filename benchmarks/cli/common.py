"""What the verbs of `zoo bench` share."""

from __future__ import annotations

from collections.abc import Sequence

from zoo.errors import ConfigError


def nothing_further(further: Sequence[str]) -> None:
    """Refuses arguments that a verb does not have.

    Raises:
        ConfigError: There are some.
    """
    if further:
        raise ConfigError(f"zoo bench: unknown argument '{further[0]}'.", "See `zoo bench --help`.")
