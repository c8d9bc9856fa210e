"""Checks the values of the arguments of model, data and trainer. `zoo.engine.key_checks` checks their names.

Both come before the parser: its messages are hard to read, and it accepts the beginning of a name as the name.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from typing import Any

from lightning.pytorch import Trainer

from zoo.engine.arguments import Flag
from zoo.engine.key_checks import EVERY_KEY, SectionNames, list_arguments
from zoo.errors import ConfigError
from zoo.utils.class_args import convert_arguments, is_optional, is_text, option_groups, option_names
from zoo.utils.literal_text import escape_interpolation

_LEAST = {
    **{"accumulate_grad_batches": 1, "check_val_every_n_epoch": 1, "gradient_clip_val": 0},
    **{"log_every_n_steps": 0, "num_sanity_val_steps": -1, "min_epochs": 0, "min_steps": 0},
}
"""The least value of numbers of the trainer."""


def names_of(classes: Mapping[str, type]) -> dict[str, SectionNames]:
    """Return the arguments of imported classes, and those of Lightning's trainer, as `check_keys` takes them.

    Args:
        classes: Classes of "model" and "data".
    """
    found = {
        section: SectionNames(option_names(kind), option_groups(kind), getattr(kind, "renamed_arguments", {}))
        for section, kind in classes.items()
    }
    trainer = frozenset(inspect.signature(Trainer.__init__).parameters) - {"self"}
    return {**found, "trainer": SectionNames(trainer)}


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
    for shown, section, name, value in list_arguments(config, flags, names_of(classes)):
        if not shown.endswith(name):  # `--model.lr.deeper` has no value of `lr`
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
