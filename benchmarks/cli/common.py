"""Functions that several verbs of `zoo bench` use."""

from __future__ import annotations

from collections.abc import Sequence

from zoo.errors import ConfigError


def refuse_further(further: Sequence[str]) -> None:
    """Refuse arguments that a verb does not have.

    Raises:
        ConfigError: There is such an argument.
    """
    if further:
        word = further[0]
        hint = "See `zoo bench --help`." if word.startswith("-") else "Write a path with blanks in quotes."
        raise ConfigError(f"zoo bench: unknown argument '{word}'.", hint)
