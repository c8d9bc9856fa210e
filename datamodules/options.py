"""`--data.KEY VALUE` from a command line as init arguments, for commands that are not Lightning's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import yaml

from zoo.errors import ConfigError

PREFIX = "--data."


def options_from(flags: Sequence[str], command: str) -> dict[str, Any]:
    """The options of a data set.

    Args:
        flags: `--data.key value` or `--data.key=value`, also with `init_args.` before the key; a value is YAML.
        command: For messages.

    Raises:
        ConfigError: Something else stands there, a value is missing or no YAML.
    """
    options: dict[str, Any] = {}
    rest = list(flags)
    while rest:
        flag, equals, value = rest.pop(0).partition("=")
        key = flag.removeprefix(PREFIX).removeprefix("init_args.")
        if not flag.startswith(PREFIX) or not key.isidentifier():
            raise ConfigError(f"{command}: unknown argument '{flag}'.", f"See `{command} --help`.")
        if not equals:
            if not rest or rest[0].startswith("--"):
                raise ConfigError(f"{command}: {flag} has no value.", f"Write {flag} VALUE.")
            value = rest.pop(0)
        try:
            options[key] = yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise ConfigError(f"{command}: {flag} {value}: not readable ({error}).", "Quote the value.") from error
    return options
