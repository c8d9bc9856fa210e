"""`PreprocessingSpec`: the steps between an image file and the grid of the network."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PreprocessingSpec:
    """The preprocessing of an image: crop, intensities, grid. The default only normalises.

    The cache's key contains every attribute, so that a changed one prepares the data set again.

    Attributes:
        window: (low, high) intensities that become 0 and 1; values outside are clipped. None: each channel of
            each image gets mean 0 and standard deviation 1.
        crop_above: Crop to the bounding box of the voxels above this raw intensity. None: no crop.
        spacing: Voxel size of the network's grid, in the unit of the image's spacing. None: that of the file.
        size: Shape of the network's grid in voxels; it goes before `spacing`. None: the shape follows from
            `spacing`.

    Example:
        >>> PreprocessingSpec(window=(-175.0, 250.0), spacing=(1.5, 1.5, 2.0)).crop_above is None
        True
    """

    window: tuple[float, float] | None = None
    crop_above: float | None = None
    spacing: tuple[float, ...] | None = None
    size: tuple[int, ...] | None = None
