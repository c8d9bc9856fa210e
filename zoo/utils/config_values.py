"""Single values of a configuration by their dotted keys. No torch here."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from typing import Any

from zoo.utils.text_files import parse_value

Config = dict[str, Any]


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
