"""`DatasetSummary`: what the planner knows of the training cases of one split."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from zoo.utils.hashing import hash_json

CT = "CT"
"""The modality whose intensities have one scale for all images."""


@dataclass(frozen=True, slots=True)
class Grid:
    """A shape and a voxel size, and how many training cases have them.

    Attributes:
        shape: Voxels per image axis after the crop of the preprocessing.
        spacing: Voxel size per image axis, in the unit of the data set.
        cases: The number of training cases.

    Example:
        >>> Grid((36, 50, 35), (1.0, 1.0, 1.0), cases=260).shape
        (36, 50, 35)
    """

    shape: tuple[int, ...]
    spacing: tuple[float, ...]
    cases: int = 1

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            ValueError: The axes are not two or three, or a number is not above 0.
        """
        if len(self.shape) not in (2, 3) or len(self.shape) != len(self.spacing):
            raise ValueError(f"shape {self.shape} and spacing {self.spacing} are not those of two or three axes")
        if min(*self.shape, self.cases) < 1 or not all(0 < step < math.inf for step in self.spacing):
            raise ValueError(f"shape {self.shape}, spacing {self.spacing} and cases {self.cases} are not all above 0")


@dataclass(frozen=True, slots=True)
class Intensities:
    """The intensities of all foreground voxels of one channel, in the unit of the files (CT: Hounsfield units).

    Attributes:
        low: The 0.5th percentile.
        high: The 99.5th percentile.
        mean: The mean.
        std: The standard deviation.

    Example:
        >>> Intensities(low=-17.0, high=201.0, mean=99.4, std=39.4).high
        201.0
    """

    low: float
    high: float
    mean: float
    std: float


@dataclass(frozen=True, slots=True)
class DatasetSummary:
    """What the planner knows of the training cases of one split.

    Attributes:
        grids: The different grids of the training cases, with the number of cases of each.
        labels: The number of labels, the background included.
        in_channels: The number of image channels.
        modality: The modality of all channels; `CT` has a normalisation of its own.
        kept: Median share of the voxels of an image that the crop keeps.
        intensities: The foreground intensities per channel; empty where the modality is not CT.
        unit: The unit of the spacing.

    Example:
        >>> hippocampus = DatasetSummary((Grid((36, 50, 35), (1.0, 1.0, 1.0), 260),), labels=3)
        >>> hippocampus.cases, hippocampus.spatial_dims
        (260, 3)
    """

    grids: tuple[Grid, ...]
    labels: int
    in_channels: int = 1
    modality: str = ""
    kept: float = 1.0
    intensities: tuple[Intensities, ...] = ()
    unit: str = "mm"

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            ValueError: There is no case, two grids differ in their axes, or the channels have no intensities each.
        """
        if len({len(grid.shape) for grid in self.grids}) != 1:
            raise ValueError("grids are none, or have different numbers of axes")
        if self.labels < 2 or self.in_channels < 1:
            raise ValueError(f"labels {self.labels} is below 2, or in_channels {self.in_channels} is below 1")
        if self.modality == CT and self.intensities and len(self.intensities) != self.in_channels:
            raise ValueError(f"intensities of {len(self.intensities)} channels, not of {self.in_channels}")

    @property
    def cases(self) -> int:
        """The number of training cases."""
        return sum(grid.cases for grid in self.grids)

    @property
    def spatial_dims(self) -> int:
        """2 or 3."""
        return len(self.grids[0].shape)

    @property
    def hash(self) -> str:
        """SHA-256 of `to_dict` as canonical JSON."""
        return hash_json(self.to_dict())

    def to_dict(self) -> dict[str, Any]:
        """Plain Python, for `dataset_summary.json`."""
        return asdict(self)

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> DatasetSummary:
        """The inverse of `to_dict`.

        Raises:
            KeyError, TypeError, ValueError: The content is another one.
        """
        grids = tuple(
            Grid(tuple(int(n) for n in grid["shape"]), tuple(float(s) for s in grid["spacing"]), int(grid["cases"]))
            for grid in content["grids"]
        )
        intensities = tuple(Intensities(**channel) for channel in content["intensities"])
        others = {key: value for key, value in content.items() if key not in ("grids", "intensities")}
        return cls(grids=grids, intensities=intensities, **others)
