"""What the sets of volumes share: a voxel size for the network's grid, and the modality as a part of the name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from datamodules.bases.base import SegDataModule
from zoo.errors import ConfigError, UnknownNameError


class VolumeDataModule(SegDataModule):
    """A set of volumes.

    Args:
        spacing: Voxel size of the network's grid in mm, in RAS order; none: the native one.
        **kwargs: See `SegDataModule`.
    """

    def __init__(self, spacing: list[float] | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if spacing is not None and (len(spacing) != 3 or min(spacing) <= 0):
            raise ConfigError(f"--data.spacing {spacing} is no voxel size.", "Give three positive numbers in mm.")
        self.spacing = None if spacing is None else tuple(float(step) for step in spacing)


def named(base: str, option: str, value: str, names: Sequence[str]) -> str:
    """The registered name of a part of a set: the first of `names` is the whole and has the set's own.

    Args:
        base: Name of the set.
        option: The option that chooses, for the message.
        value: Its value.
        names: Its values.

    Raises:
        UnknownNameError: No such part.
    """
    if value not in names:
        raise UnknownNameError(option, value, names, f"zoo show {base}")
    return base if value == names[0] else f"{base}_{value}"
