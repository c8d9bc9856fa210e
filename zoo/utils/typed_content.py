"""Check plain content, such as a part of a YAML file, against a dataclass.

A wrong key or value ends with one line that gives the file, the key and what to write. No torch here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from types import UnionType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from zoo.errors import ConfigError, did_you_mean

T = TypeVar("T")

_KINDS = {str: "a text", bool: "true or false", int: "a whole number", float: "a number"}


def read_content(kind: type[T], content: Any, where: str, key: str, **given: Any) -> T:
    """Make a dataclass from a mapping and check each entry.

    A field may be `str`, `bool`, `int`, `float`, `Any`, another dataclass, a union with `None`, `tuple[X, ...]`
    (a list in the file) or `Mapping[K, X]`.

    Args:
        kind: The dataclass. A field without a default is required. `__post_init__` may raise ValueError with a
            message that begins with a field's name.
        content: The mapping.
        where: The file, for messages.
        key: The key under which the mapping is, for messages.
        **given: Fields that are not in the mapping.

    Raises:
        ConfigError: An unknown key, a missing key, or a value of another type; one line.

    Example:
        >>> from dataclasses import dataclass
        >>> @dataclass
        ... class Size:
        ...     width: int
        ...     depth: int = 2
        >>> read_content(Size, {"width": 8}, "size.yaml", "size")
        Size(width=8, depth=2)
    """
    hints = get_type_hints(kind)
    known = {field.name: field for field in fields(kind) if field.name not in given}  # type: ignore[arg-type]
    if not isinstance(content, Mapping):
        raise ConfigError(f"{where}: {key} is not a mapping.", f"Write `{key}:` and `key: value` lines below it.")
    for name in content:
        if name not in known:
            listed = f"Known keys: {', '.join(known)}."
            raise ConfigError(f"{where}: unknown key {key}.{name}.", did_you_mean(str(name), known, listed, most=1))
    for name, field in known.items():
        if name not in content and field.default is MISSING and field.default_factory is MISSING:
            raise ConfigError(f"{where}: the key {key}.{name} is missing.", f"Add `{name}: ...` below `{key}:`.")
    values = {str(name): _value(hints[name], value, where, f"{key}.{name}") for name, value in content.items()}
    try:
        return kind(**given, **values)
    except ValueError as error:
        raise ConfigError(f"{where}: {key}.{error}.", "Correct the file.") from error


def _value(hint: Any, value: Any, where: str, key: str) -> Any:
    """One value, converted to the type of its field."""
    origin, arguments = get_origin(hint), get_args(hint)
    if hint is Any or (origin is UnionType and value is None):
        return value
    if origin is UnionType:
        hint = next(argument for argument in arguments if argument is not type(None))
        return _value(hint, value, where, key)
    if is_dataclass(hint):
        return read_content(hint, value, where, key)  # type: ignore[arg-type]
    if origin is None:
        return _plain_value(hint, value, where, key)
    return _collection(origin, arguments, value, where, key)


def _plain_value(hint: type[Any], value: Any, where: str, key: str) -> Any:
    kinds = (int, float) if hint is float else (hint,)
    if not isinstance(value, kinds) or (isinstance(value, bool) and hint is not bool):
        raise ConfigError(f"{where}: {key} is {value!r}.", f"Write {_KINDS[hint]}.")
    return hint(value)


def _collection(origin: type[Any], arguments: tuple[Any, ...], value: Any, where: str, key: str) -> Any:
    if origin is tuple:
        if not isinstance(value, list | tuple):
            raise ConfigError(f"{where}: {key} is {value!r}, not a list.", f"Write `{key.rpartition('.')[2]}: [...]`.")
        return tuple(_value(arguments[0], entry, where, key) for entry in value)
    if not isinstance(value, Mapping):
        raise ConfigError(f"{where}: {key} is {value!r}, not a mapping.", "Write `key: value` lines below it.")
    of_name, of_entry = arguments
    return {
        _value(of_name, name, where, f"{key}.{name}"): _value(of_entry, entry, where, f"{key}.{name}")
        for name, entry in value.items()
    }
