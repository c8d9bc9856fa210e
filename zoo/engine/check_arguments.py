"""Checks the arguments of model, data and trainer before the parser reads them: their names, then their types.

The messages of the parser are hard to read, and it accepts the beginning of a name as the name.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from lightning.pytorch import Trainer

from zoo.config import check_seed
from zoo.engine.arguments import Flag
from zoo.errors import ConfigError, did_you_mean
from zoo.utils.class_args import convert_arguments, is_optional, is_text, option_groups, option_names
from zoo.utils.literal_text import escape_interpolation

EVERY_KEY = "See `--print_config` for every key."


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


_LEAST = {
    **{"accumulate_grad_batches": 1, "check_val_every_n_epoch": 1, "gradient_clip_val": 0},
    **{"log_every_n_steps": 0, "num_sanity_val_steps": -1, "min_epochs": 0, "min_steps": 0},
}
"""The least value of numbers of the trainer."""


class _Argument(NamedTuple):
    """One argument: its text in messages, its section ("model"), its name ("lr", "released.tokens") and its value."""

    shown: str
    section: str
    name: str
    value: Any


def check_names(config: Mapping[str, Any], flags: Iterable[Flag], classes: Mapping[str, type]) -> None:
    """Check that every key is an argument of the class that it configures.

    Args:
        config: The merged layers.
        flags: The dotted flags of the command.
        classes: Classes of "model" and "data".

    Raises:
        ConfigError: Keys are unknown, or have no effect. The message has each of them with similar keys; an old name
            has the new one.
    """
    known = {section: option_names(kind) for section, kind in classes.items()}
    known["trainer"] = frozenset(inspect.signature(Trainer.__init__).parameters) - {"self"}
    tops = {"seed_everything", "init_from", "plan", *known}
    mistakes = [_unknown("key", key, tops, "") for key in config if key not in tops]
    for argument in _arguments(config, flags, classes):
        shown, section, name, value = argument
        if section not in known:
            continue
        if name in known[section] | {"init_args", "dict_kwargs"}:
            printed, instead = _SET_ELSEWHERE.get((section, name), (value, ""))
            if instead and (shown.startswith("-") or value != printed):
                mistakes.append(f"{shown} {instead}")
            continue
        kind = "option" if shown.startswith("-") else "key"
        new = getattr(classes.get(section), "renamed_arguments", {}).get(name)
        renamed = f"The {kind} '{shown}' has a new name: {shown.removesuffix(name)}{new}."
        mistakes.append(renamed if new else _unknown(kind, shown, known[section], name))
    if mistakes:
        raise ConfigError(" ".join(mistakes), EVERY_KEY)
    if config.get("seed_everything") is not None:
        check_seed(config["seed_everything"], "seed_everything")


def check_trainer(trainer: Mapping[str, Any]) -> None:
    """Check values of the trainer that Lightning takes without a check and cannot use, or reads as something else.

    Raises:
        ConfigError: A number is too small, or the precision would convert whole batches, with their label masks.
    """
    precision = str(trainer.get("precision") or "32")
    if precision not in ("16", "bf16", "32", "32-true") and not precision.endswith("-mixed"):
        raise ConfigError(
            f"--trainer.precision {precision} does not work with these models.", "Use bf16-mixed or 32-true."
        )
    for key, least in _LEAST.items():
        value = trainer.get(key)
        if value is not None and value < least:
            raise ConfigError(f"--trainer.{key} {value} is less than {least}.", f"Give {least} or more.")


def check_types(config: Mapping[str, Any], flags: Iterable[Flag], classes: Mapping[str, type]) -> None:
    """Check that each value has the type of its argument.

    Args:
        config: The merged layers.
        flags: The dotted flags of the command.
        classes: Classes of "model" and "data".

    Raises:
        ConfigError: A value has the wrong type; flags are checked before layers.
    """
    owners = {**classes, "trainer": Trainer}
    for shown, section, name, value in _arguments(config, flags, classes):
        if section not in owners or not shown.endswith(name):  # `--model.lr.deeper` has no value of `lr`
            continue
        group, _, option = name.rpartition(".")
        owner = option_groups(owners[section])[group] if group else owners[section]
        prefix = shown.removesuffix(option)
        convert_arguments(
            owner, {option: value}, prefix.replace(".init_args", "") if shown[0] == "-" else prefix, EVERY_KEY
        )


def set_texts(
    config: Mapping[str, Any], flags: Iterable[Flag], classes: Mapping[str, type]
) -> tuple[dict[str, Any], list[Flag]]:
    """Move the flags that set texts into the layers, so that the parser does not read "1e3" or "a: b" as YAML.

    Args:
        config: The merged layers.
        flags: The dotted flags of the command.
        classes: Classes of "model" and "data".

    Returns:
        The layers with the texts, and the other flags.
    """
    changed, others = dict(config), []
    for key, value in flags:
        section, _, rest = key.partition(".")
        name = rest.removeprefix("init_args.")
        if section not in classes or not name.isidentifier() or not is_text(classes[section], name):
            others.append((key, value))
            continue
        text = None if value == "null" and is_optional(classes[section], name) else escape_interpolation(value)
        chosen = changed.get(section) or {}
        changed[section] = {**chosen, "init_args": {**(chosen.get("init_args") or {}), name: text}}
    return changed, others


def _arguments(config: Mapping[str, Any], flags: Iterable[Flag], classes: Mapping[str, type]) -> Iterator[_Argument]:
    """Yield the arguments of the flags, then those of the layers, with one entry per option of a group."""
    groups = {section: option_groups(kind) for section, kind in classes.items()}
    for key, value in flags:
        section, _, rest = key.partition(".")
        name = rest.removeprefix("init_args.").removesuffix("+")
        first = name.partition(".")[0]  # "lr" of `model.lr.deeper`
        yield _Argument(f"--{key}", section, name if first in groups.get(section, {}) else first, value)
    for section in (*classes, "trainer"):
        chosen = config.get(section) or {}
        inner = "" if section == "trainer" else "init_args."
        for name, value in (chosen if section == "trainer" else chosen.get("init_args") or {}).items():
            options = value if name in groups.get(section, {}) and isinstance(value, Mapping) else None
            for key, one in [(name, value)] if options is None else [(f"{name}.{k}", v) for k, v in options.items()]:
                yield _Argument(f"{section}.{inner}{key}", section, key, one)


def _unknown(kind: str, shown: str, known: Iterable[str], key: str) -> str:
    prefix = shown[: len(shown) - len(key)] if key and shown.endswith(key) else ""
    hint = did_you_mean(key or shown, sorted(known), cutoff=0.6, prefix=prefix)
    return f"Unknown {kind} '{shown}'. {hint}".rstrip()
