"""Checks that every key of a command is an argument of the class that it configures. No torch here.

`zoo.engine.early_checks` asks with the names that the sources state, before anything is imported, and
`zoo.engine.check_arguments` with those of the imported classes.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from zoo.config import check_seed
from zoo.engine.arguments import Flag
from zoo.errors import ConfigError, did_you_mean

EVERY_KEY = "See `--print_config` for every key."

SECTIONS = ("model", "data", "trainer")
"""The sections of a configuration that have arguments of a class."""

_SET_ELSEWHERE = {
    ("data", "seed"): (None, "has no effect. --seed sets it."),
    ("model", "facts"): (None, "has no effect. The data set gives them: choose it with --data."),
    ("trainer", "default_root_dir"): (None, "has no effect. --out DIR sets the folder of a run."),
    ("trainer", "use_distributed_sampler"): (True, "has no effect. The samplers of the data set know the devices."),
    ("trainer", "overfit_batches"): (
        0,
        "would replace the sampler of the data set. Use --data.train_share or --trainer.limit_train_batches.",
    ),
}
"""Arguments that the command sets itself: their value in a printed configuration, why, and what to do instead."""


class SectionNames(NamedTuple):
    """The arguments of the class of one section.

    Attributes:
        names: The names, with a dotted name per option of a group: "released.tokens".
        groups: The arguments that are groups of options.
        renamed: Former names, each with its name now.
    """

    names: frozenset[str]
    groups: Container[str] = ()
    renamed: Mapping[str, str] = {}


class Argument(NamedTuple):
    """One argument: its text in messages, its section ("model"), its name ("lr", "released.tokens") and its value."""

    shown: str
    section: str
    name: str
    value: Any


def check_keys(config: Mapping[str, Any], flags: Iterable[Flag], sections: Mapping[str, SectionNames]) -> None:
    """Check that every key is an argument of the class that it configures.

    Args:
        config: The merged layers.
        flags: The dotted flags of the command.
        sections: The arguments of the class of each section; a section that is left out is not checked.

    Raises:
        ConfigError: Keys are unknown, or have no effect. The message has each of them with similar keys; an old name
            has the new one.
    """
    tops = {"seed_everything", "init_from", "plan", *SECTIONS}
    mistakes = [_unknown("key", key, tops, "") for key in config if key not in tops]
    for shown, section, name, value in list_arguments(config, flags, sections):
        known = sections[section].names
        if name in known | {"init_args", "dict_kwargs"}:
            printed, instead = _SET_ELSEWHERE.get((section, name), (value, ""))
            if instead and (shown.startswith("-") or value != printed):
                mistakes.append(f"{shown} {instead}")
            continue
        kind = "option" if shown.startswith("-") else "key"
        new = sections[section].renamed.get(name)
        renamed = f"The {kind} '{shown}' has a new name: {shown.removesuffix(name)}{new}."
        mistakes.append(renamed if new else _unknown(kind, shown, known, name))
    if mistakes:
        raise ConfigError(" ".join(mistakes), EVERY_KEY)
    if config.get("seed_everything") is not None:
        check_seed(config["seed_everything"], "seed_everything")


def list_arguments(
    config: Mapping[str, Any], flags: Iterable[Flag], sections: Mapping[str, SectionNames]
) -> Iterator[Argument]:
    """Yield the arguments of the flags, then those of the layers, with one entry per option of a group."""
    for key, value in flags:
        section, _, rest = key.partition(".")
        if section not in sections:
            continue
        name = rest.removeprefix("init_args.").removesuffix("+")
        first = name.partition(".")[0]  # "lr" of `model.lr.deeper`
        yield Argument(f"--{key}", section, name if first in sections[section].groups else first, value)
    for section, known in sections.items():
        chosen = config.get(section) or {}
        inner = "" if section == "trainer" else "init_args."
        for name, value in (chosen if section == "trainer" else chosen.get("init_args") or {}).items():
            options = value if name in known.groups and isinstance(value, Mapping) else None
            for key, one in [(name, value)] if options is None else [(f"{name}.{k}", v) for k, v in options.items()]:
                yield Argument(f"{section}.{inner}{key}", section, key, one)


def _unknown(kind: str, shown: str, known: Iterable[str], key: str) -> str:
    prefix = shown[: len(shown) - len(key)] if key and shown.endswith(key) else ""
    hint = did_you_mean(key or shown, sorted(known), cutoff=0.6, prefix=prefix)
    return f"Unknown {kind} '{shown}'. {hint}".rstrip()
