"""`--data.KEY VALUE` from a command line as init arguments, for commands that are not Lightning's."""

from __future__ import annotations

from collections.abc import Sequence

from zoo.errors import ConfigError
from zoo.utils.flags import pairs_from

SECTION = "data."


def options_from(flags: Sequence[str], command: str) -> dict[str, str]:
    """The options of a data set.

    Args:
        flags: `--data.key value` or `--data.key=value`, also with `init_args.` before the key.
        command: For messages.

    Raises:
        ConfigError: Something else stands there, or a value is missing.
    """
    options: dict[str, str] = {}
    for name, value in pairs_from(flags, (SECTION,), command).items():
        key = name.removeprefix(SECTION).removeprefix("init_args.")
        if not key.isidentifier():
            raise ConfigError(f"{command}: unknown argument '--{name}'.", f"See `{command} --help`.")
        options[key] = value
    return options
