"""Arguments of a class on a command line: their names, and values of their types."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from dataclasses import is_dataclass
from functools import cache
from typing import Any, TypeVar

from jsonargparse import ArgumentError, ArgumentParser

from zoo.errors import ConfigError
from zoo.utils.config_files import check_no_resolvers
from zoo.utils.text_files import doubled_key

_TEXT = re.compile(r"str|(str \| None|None \| str)|(typing\.)?(Optional\[str\]|Union\[str, (None|NoneType)\])")

_REQUIRED = re.compile(r"arguments are required: (\w+)")

Group = TypeVar("Group")
"""A frozen dataclass that groups arguments of a class."""


@cache
def argument_names(kind: type) -> frozenset[str]:
    """Return the names of the arguments of a class, with those that it passes to its parents."""
    return frozenset(ArgumentParser().add_class_arguments(kind, None, fail_untyped=False))


def option_groups(kind: type) -> dict[str, type]:
    """Return the arguments of a class that are groups of options: name -> frozen dataclass of the default."""
    defaults: dict[str, Any] = {}
    for base in kind.__mro__:
        own = inspect.signature(vars(base)["__init__"]).parameters if "__init__" in vars(base) else {}
        defaults = {name: parameter.default for name, parameter in own.items()} | defaults
    return {name: type(value) for name, value in defaults.items() if is_dataclass(value)}


def as_group(kind: type[Group], value: Group | Mapping[str, Any]) -> Group:
    """Build a group of options from the mapping that a checkpoint holds; return a finished group unchanged."""
    return kind(**value) if isinstance(value, Mapping) else value


def option_names(kind: type) -> frozenset[str]:
    """Return the names of a class's arguments, with a dotted name per option of a group: `released.tokens`."""
    groups = option_groups(kind)
    return argument_names(kind) - groups.keys() | {
        f"{name}.{key}" for name in groups for key in argument_names(groups[name])
    }


def convert_arguments(kind: type, given: Mapping[str, Any], prefix: str, fix: str) -> dict[str, Any]:
    """Convert values to the types of the arguments of a class.

    Args:
        kind: The class.
        given: Values of its arguments; a string is read as on the command line of `zoo fit`.
        prefix: Text before a name in the message: "--data.".
        fix: The second half of the message.

    Raises:
        ConfigError: A value does not have the type of its argument, or is a mapping with a key twice.
    """
    names, values = argument_names(kind), {}
    for name, value in given.items():
        check_no_resolvers(value, f"{prefix}{name}")
        if isinstance(value, str) and is_text(kind, name):
            values[name] = None if value == "null" and is_optional(kind, name) else value
            continue
        double = doubled_key(value) if isinstance(value, str) and "{" in value else ""
        if double:
            raise ConfigError(f"{prefix}{name}={value}: {double.partition(': ')[2]}.", "Keep one of them.")
        parser = ArgumentParser(exit_on_error=False, parser_mode="omegaconf")
        parser.add_class_arguments(kind, None, fail_untyped=False, skip=names - {name})
        try:
            values[name] = parser.parse_object({name: value}, defaults=False)[name]
        except ArgumentError as error:
            if lacks := _REQUIRED.search(str(error)):
                raise ConfigError(
                    f"{prefix}{name}={value} needs {lacks[1]}.", f"Add {prefix}{name}.{lacks[1]}."
                ) from error
            raise ConfigError(f"{prefix}{name}={value}: not of the type {_type_of(kind, name)}.", fix) from error
    return values


def is_text(kind: type, name: str) -> bool:
    """Whether an argument of a class is a text, so that its value is taken as it was typed.

    Example:
        >>> is_text(ConfigError, "fix")
        True
    """
    return _TEXT.fullmatch(_type_of(kind, name)) is not None


def is_optional(kind: type, name: str) -> bool:
    """Whether an argument of a class may be None."""
    return "None" in _type_of(kind, name) or "Optional" in _type_of(kind, name)


def first_reason(message: str) -> str:
    r"""Return a message of the parser without the types that it tried: only the reason of the first of them.

    Example:
        >>> first_reason("Parser key 'a': Does not validate against X\nErrors:\n  - No number\n  - No text\n")
        "Parser key 'a': No number"
    """
    head, found, reasons = message.rpartition("Errors:\n")
    if not found:
        return message
    reason = reasons.strip().removeprefix("- ").partition("\n")[0]
    return f"{head.partition('Does not validate')[0].partition('- ')[0].strip()} {reason}".strip()


def _type_of(kind: type, name: str) -> str:
    """Return the type of an argument as the source of the nearest class writes it."""
    for base in kind.__mro__:
        own = inspect.signature(vars(base)["__init__"]).parameters if "__init__" in vars(base) else {}
        if name in own:
            kept = own[name].annotation
            return kept if isinstance(kept, str) else inspect.formatannotation(kept)
    return "that it asks for"
