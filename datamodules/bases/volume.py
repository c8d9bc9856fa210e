"""The base of the data sets of volumes: a voxel size of the network grid, and names with the modality."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from datamodules.bases.base import SegDataModule
from zoo.errors import ConfigError, UnknownNameError


class VolumeDataModule(SegDataModule):
    """A data set of volumes.

    Args:
        spacing: Voxel size of the network grid in mm, in RAS order; None for the native voxel size.
        **kwargs: See `SegDataModule`.
    """

    def __init__(self, spacing: list[float] | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if spacing is not None and (len(spacing) != 3 or min(spacing) <= 0):
            raise ConfigError(f"--data.spacing {spacing} is not a voxel size.", "Give three positive numbers in mm.")
        self.spacing = None if spacing is None else tuple(float(step) for step in spacing)


def registered_name(base: str, option: str, value: str, names: Sequence[str]) -> str:
    """The registered name of a subset, for example of one modality. The first value stands for the whole data set.

    Args:
        base: Name of the data set.
        option: The option that chooses the subset, for the message.
        value: The value of the option.
        names: All values of the option.

    Raises:
        UnknownNameError: There is no such value.

    Example:
        >>> registered_name("amos22", "--data.modality", "mr", ("both", "ct", "mr"))
        'amos22_mr'
    """
    if value not in names:
        raise UnknownNameError(option, value, names, f"zoo show {base}")
    return base if value == names[0] else f"{base}_{value}"
