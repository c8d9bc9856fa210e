"""A parser whose error texts are one line, and options as pairs of key and value. No torch here."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any, NoReturn

from zoo.errors import ConfigError, did_you_mean
from zoo.utils.foreign_names import find_own_option


class Parser(argparse.ArgumentParser):
    """An argument parser that raises `ConfigError` for a mistake: one line and exit code 2.

    Attributes:
        sections: Prefixes of the dotted keys that the command takes besides its own options: "data.".
    """

    sections: tuple[str, ...] = ()

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse the words; leave unknown options of the form `--section.key` to the caller.

        Raises:
            ConfigError: Another option is unknown; the message has the most similar ones.
        """
        known, further = super().parse_known_args(args, namespace)
        for word in (word.partition("=")[0] for word in further if word.startswith("--")):
            if "." not in word:
                raise ConfigError(f"{self.prog}: unknown argument '{word}'.", self._hint(word))
        return known, further

    def _hint(self, word: str) -> str:
        """Return the option of this command that an unknown word means."""
        meant = find_own_option(word)
        name = meant.partition(" ")[0]
        if name and (name in self._option_string_actions or name[2:].startswith(self.sections or "-")):
            return f"Did you mean {meant}?"
        return did_you_mean(word, self._option_string_actions, f"See `{self.prog} --help`.", cutoff=0.6)

    def error(self, message: str) -> NoReturn:
        """Raise the message of the parser as a `ConfigError`.

        Raises:
            ConfigError: Always.
        """
        raise ConfigError(f"{self.prog}: {message}.", f"See `{self.prog} --help`.")


def split_names(text: str) -> list[str]:
    """Split names that are separated by commas, for argparse; each is kept once.

    Example:
        >>> split_names("film, unet,,film")
        ['film', 'unet']
    """
    return list(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))


def parse_pairs(words: Sequence[str], sections: Sequence[str], command: str, manual: str = "") -> dict[str, str]:
    """Read options of the forms `--section.key value` and `--section.key=value`.

    Args:
        words: The words of the command.
        sections: The prefixes that a key may have: "data.".
        command: The command, for messages.
        manual: The command whose help the messages name; by default `command`.

    Returns:
        Key with its section -> value.

    Raises:
        ConfigError: A word is no such option, or a value is missing.

    Example:
        >>> parse_pairs(["--data.fold", "1"], ("data.",), "zoo data stats")
        {'data.fold': '1'}
    """
    pairs: dict[str, str] = {}
    rest = list(words)
    while rest:
        flag, equals, value = rest.pop(0).partition("=")
        key = flag.removeprefix("--")
        if not flag.startswith("--"):
            hint = "Write every option as `--name value`, and a list as `a,b` without spaces."
            raise ConfigError(f"{command}: unexpected word '{flag}'.", hint)
        if not key.startswith(tuple(sections)):
            raise ConfigError(f"{command}: unknown argument '{flag}'.", f"See `{manual or command} --help`.")
        if not equals:
            if not rest or rest[0].startswith("--"):
                raise ConfigError(f"{command}: {flag} has no value.", f"Write {flag} VALUE.")
            value = rest.pop(0)
        pairs[key] = value
    return pairs


def parse_options(words: Sequence[str], section: str, command: str) -> dict[str, str]:
    """Read the options of one section as init arguments.

    Args:
        words: `--section.key value` or `--section.key=value`, also with `init_args.` before the key.
        section: "data" or "model".
        command: The command, for messages.

    Raises:
        ConfigError: A word is no option of the section, or a value is missing.

    Example:
        >>> parse_options(["--data.fold", "1", "--data.init_args.seed=2"], "data", "zoo data stats")
        {'fold': '1', 'seed': '2'}
    """
    options: dict[str, str] = {}
    for name, value in parse_pairs(words, (f"{section}.",), command).items():
        key = name.removeprefix(f"{section}.").removeprefix("init_args.")
        if not key.isidentifier():
            raise ConfigError(f"{command}: unknown argument '--{name}'.", f"See `{command} --help`.")
        options[key] = value
    return options
