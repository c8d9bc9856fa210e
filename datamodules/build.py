"""Build a data set by name in Python: the layers of its card, then the overrides."""

from __future__ import annotations

from typing import Any

from datamodules.bases.base import SegDataModule
from zoo.errors import ConfigError, UnknownNameError
from zoo.registry import DATA
from zoo.utils.class_args import argument_names, convert_arguments
from zoo.utils.plugins import import_object


def build_datamodule(name: str, size: str = "published", **overrides: Any) -> SegDataModule:
    """Build the data module of a data set.

    Args:
        name: A name of `zoo list data`.
        size: One of the sizes of the card.
        **overrides: Init arguments that replace those of the card; a string is read as on the command line.

    Raises:
        UnknownNameError: There is no such data set or size.
        ConfigError: The card is broken, or an argument does not fit.

    Example:
        >>> build_datamodule("phantom_chest", size="tiny", batch_size=4).facts["labels"]["names"]
        ['lesion']
    """
    card = DATA.get(name)
    if size not in card.sizes and card.sizes:
        raise UnknownNameError("size", size, card.sizes, f"zoo show {name}")
    data = card.config.get("data", {})
    module, _, kind = str(data.get("class_path", "")).rpartition(".")
    if not module:
        raise ConfigError(f"The card of '{name}' has no config.data.class_path.", f"Add it to {card.place}.")
    arguments = {**data.get("init_args", {}), **card.sizes.get(size, {}).get("data", {}).get("init_args", {})}
    try:
        maker = import_object(f"{module}.{kind}")
    except ImportError as error:
        problem = f"The data set '{name}' of {card.origin}: {module}.{kind} cannot be imported: {error}."
        raise ConfigError(problem, f"Repair {card.origin}.") from error
    known = argument_names(maker)
    for key in overrides.keys() - known:
        raise UnknownNameError("option", f"--data.{key}", {f"--data.{one}" for one in known}, f"zoo show {name}")
    made = maker(**{**arguments, **convert_arguments(maker, overrides, "--data.", f"See `zoo show {name}`.")})
    if not isinstance(made, SegDataModule):
        raise ConfigError(
            f"{module}.{kind} is not a SegDataModule.", f"Correct config.data.class_path in {card.place}."
        )
    return made
