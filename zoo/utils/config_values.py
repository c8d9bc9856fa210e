"""Single values of a configuration by their dotted keys. No torch here."""

from __future__ import annotations

import json
from collections.abc import Container, Iterable, Iterator, Mapping
from typing import Any

from zoo.utils.text_files import parse_value

Config = dict[str, Any]


def plain_key(key: str) -> str:
    """Return a dotted key as a user types it, without the groups of a configuration.

    Example:
        >>> plain_key("model.init_args.lr")
        'model.lr'
    """
    return key.replace(".init_args.", ".")


def section_keys(pairs: Iterable[tuple[str, str]], section: str) -> dict[str, str]:
    """Return the values of one section of dotted flags by the argument alone.

    Example:
        >>> section_keys([("data.init_args.fold", "1"), ("model.lr", "0.1")], "data")
        {'fold': '1'}
    """
    plain = ((plain_key(key), value) for key, value in pairs)
    return {key.removeprefix(f"{section}."): value for key, value in plain if key.startswith(f"{section}.")}


def value_to_text(value: Any) -> str:
    """Return a value as a user types it after a flag: a text as it is, everything else as JSON.

    Example:
        >>> value_to_text("image"), value_to_text(0.001), value_to_text(None)
        ('image', '0.001', 'null')
    """
    return value if isinstance(value, str) else json.dumps(value)


def list_leaves(config: Mapping[str, Any], at: str = "", *, without: Container[str] = ()) -> Iterator[tuple[str, Any]]:
    """Yield the dotted key and the value of each leaf of a configuration.

    Args:
        config: The configuration.
        at: Dotted key of this mapping, with a dot at its end.
        without: Dotted keys that are left out, with everything below them.

    Example:
        >>> dict(list_leaves({"trainer": {"max_epochs": 5}}))
        {'trainer.max_epochs': 5}
    """
    for key, value in config.items():
        name = f"{at}{key}"
        if name in without:
            continue
        if isinstance(value, Mapping):
            yield from list_leaves(value, f"{name}.", without=without)
        else:
            yield name, value


def find_value(config: Mapping[str, Any], key: str) -> Any:
    """Return the value of a dotted key such as `data.batch_size`, None where it is not set."""
    section, _, rest = key.partition(".")
    found: Any = config.get(section) or {}
    if section != "trainer":
        found = found.get("init_args") or {}
    return found.get(rest)


def with_values(config: Mapping[str, Any], pairs: Iterable[tuple[str, str]]) -> Config:
    """Return a configuration with the values of dotted flags, as far as it is possible without the classes.

    Args:
        config: The merged layers.
        pairs: Dotted keys with their values as a user types them.

    Example:
        >>> with_values({}, [("data.batch_size", "4"), ("trainer.max_epochs", "2")])
        {'data': {'init_args': {'batch_size': 4}}, 'trainer': {'max_epochs': 2}}
    """
    changed: Config = _copy(config)
    for key, value in pairs:
        section, _, rest = key.partition(".")
        inner = section in ("model", "data") and not rest.startswith("init_args.")
        *parents, last = [section, *(["init_args"] if inner else []), *rest.split(".")]
        place = changed
        for parent in parents:
            if not isinstance(place.get(parent), dict):
                place[parent] = {}
            place = place[parent]
        place[last] = parse_value(value)
    return changed


def without_refused(
    config: Mapping[str, Any], optional: Mapping[str, Any], accepted: Mapping[str, Container[str]]
) -> Config:
    """Return the configuration without the optional values of a preset for which a class has no argument.

    Args:
        config: The merged layers.
        optional: `Composed.where_accepted`.
        accepted: Arguments of the classes of "model" and "data".

    Example:
        >>> layers = {"model": {"class_path": "my.Net", "init_args": {"overlap": 0.0, "lr": 0.1}}}
        >>> without_refused(layers, {"model.init_args.overlap": 0.0}, {"model": {"lr"}})["model"]["init_args"]
        {'lr': 0.1}
    """
    kept: Config = dict(config)
    for key, value in optional.items():
        section, _, name = key.partition(".init_args.")
        arguments = (kept.get(section) or {}).get("init_args") or {}
        if name not in accepted.get(section, set()) and arguments.get(name) == value:
            without = {argument: entry for argument, entry in arguments.items() if argument != name}
            kept[section] = {**kept[section], "init_args": without}
    return kept


def _copy(value: Any) -> Any:
    return {key: _copy(entry) for key, entry in value.items()} if isinstance(value, Mapping) else value
