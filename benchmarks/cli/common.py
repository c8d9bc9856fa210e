"""What the verbs of `zoo bench` share."""

from __future__ import annotations

from collections.abc import Sequence

from zoo.errors import ConfigError


def refuse_further(further: Sequence[str]) -> None:
    """Refuses arguments that a verb does not have.

    Raises:
        ConfigError: There are some.
    """
    if further:
        word = further[0]
        hint = "See `zoo bench --help`." if word.startswith("-") else "A path with blanks is written in quotes."
        raise ConfigError(f"zoo bench: unknown argument '{word}'.", hint)
