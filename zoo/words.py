"""Words of a command line as pairs, and a parser whose mistakes are one line; no torch here."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import NoReturn

from zoo.errors import ConfigError


class Parser(argparse.ArgumentParser):
    """Mistakes become a `ConfigError`: one line, exit code 2."""

    def error(self, message: str) -> NoReturn:
        """Says what is wrong.

        Raises:
            ConfigError: Always.
        """
        raise ConfigError(f"{self.prog}: {message}.", f"See `{self.prog} --help`.")


def pairs_from(words: Sequence[str], sections: Sequence[str], command: str, manual: str = "") -> dict[str, str]:
    """`--section.key value` and `--section.key=value` by key, the section with it.

    Args:
        words: As typed.
        sections: What a key may begin with: "data.".
        command: For messages.
        manual: The command whose help to see, by default the same.

    Raises:
        ConfigError: Something else stands there, or a value is missing.
    """
    pairs: dict[str, str] = {}
    rest = list(words)
    while rest:
        flag, equals, value = rest.pop(0).partition("=")
        key = flag.removeprefix("--")
        if not flag.startswith("--") or not key.startswith(tuple(sections)):
            raise ConfigError(f"{command}: unknown argument '{flag}'.", f"See `{manual or command} --help`.")
        if not equals:
            if not rest or rest[0].startswith("--"):
                raise ConfigError(f"{command}: {flag} has no value.", f"Write {flag} VALUE.")
            value = rest.pop(0)
        pairs[key] = value
    return pairs
