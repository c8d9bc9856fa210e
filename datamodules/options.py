"""`--data.KEY VALUE` from a command line as init arguments, for commands that are not Lightning's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import yaml

from zoo.errors import ConfigError
from zoo.words import pairs_from

SECTION = "data."


def options_from(flags: Sequence[str], command: str) -> dict[str, Any]:
    """The options of a data set.

    Args:
        flags: `--data.key value` or `--data.key=value`, also with `init_args.` before the key; a value is YAML.
        command: For messages.

    Raises:
        ConfigError: Something else stands there, a value is missing or no YAML.
    """
    options: dict[str, Any] = {}
    for name, value in pairs_from(flags, (SECTION,), command).items():
        key = name.removeprefix(SECTION).removeprefix("init_args.")
        if not key.isidentifier():
            raise ConfigError(f"{command}: unknown argument '--{name}'.", f"See `{command} --help`.")
        try:
            options[key] = yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise ConfigError(f"{command}: --{name} {value}: not readable ({error}).", "Quote the value.") from error
    return options
