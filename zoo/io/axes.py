"""Turns arrays between the axes of a file and RAS order."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from nibabel.affines import voxel_sizes
from nibabel.orientations import axcodes2ornt, inv_ornt_aff, io_orientation, ornt_transform
from numpy.typing import NDArray

from zoo.errors import DataError
from zoo.types import Geometry, Prediction

_RAS = axcodes2ornt(("R", "A", "S"))


def to_ras(array: NDArray[Any], affine: NDArray[np.float64], path: Path) -> tuple[NDArray[Any], Geometry]:
    """Turn the first three axes of an array into RAS order.

    Args:
        array: [X, Y, Z, ...] in the order of the file.
        affine: 4x4, from voxels to RAS millimetres.
        path: The file, for the geometry and for error messages.

    Returns:
        The array and its geometry.

    Raises:
        DataError: The affine cannot be inverted or does not determine the axes.
    """
    spacing = voxel_sizes(affine)
    volume = abs(np.linalg.det(affine[:3, :3]))  # zero where two axes have the same direction
    if not np.isfinite(affine).all() or not (spacing > 0).all() or volume < 1e-6 * spacing.prod():
        raise DataError(
            f"{path}: the header has no usable affine.",
            "Correct the header or download the file again.",
            "affine_unusable",
        )
    turn = ornt_transform(io_orientation(affine), _RAS)
    if np.isnan(turn).any():
        raise DataError(f"{path}: the affine does not determine the axes.", "Correct the header.", "affine_unusable")
    shape = array.shape[:3]
    turned = nib.orientations.apply_orientation(array, turn)
    steps = voxel_sizes(affine @ inv_ornt_aff(turn, shape))
    rows = tuple(tuple(float(value) for value in row) for row in affine)
    crop = tuple((0, int(n)) for n in turned.shape[:3])
    return np.ascontiguousarray(turned), Geometry(rows, shape, crop, tuple(float(s) for s in steps), "mm", path)


def to_file_grids(prediction: Prediction, path: Path) -> list[NDArray[np.uint8]]:
    """Return the masks of a prediction with the axes of its file: one label map, or one mask per overlapping class.

    Args:
        prediction: The mask in RAS order, with the layout of `Native.label`.
        path: The file, for error messages.

    Raises:
        DataError: The shape of the mask does not fit the geometry.
    """
    mask, geometry = np.asarray(prediction.mask, dtype=np.uint8), prediction.geometry
    grids = list(mask) if mask.ndim > len(geometry.shape) else [mask]
    return [to_file_axes(grid, geometry, path) for grid in grids]


def to_file_axes(grid: NDArray[Any], geometry: Geometry, path: Path) -> NDArray[Any]:
    """Turn an array on the grid of a file from RAS order to the axes of the file.

    Args:
        grid: [*S] in RAS order, or [H, W].
        geometry: The geometry of the file.
        path: The file, for error messages.

    Raises:
        DataError: The shape does not fit the geometry.
    """
    if geometry.affine is not None and grid.ndim == 3:
        to_file = ornt_transform(_RAS, io_orientation(np.asarray(geometry.affine)))
        grid = nib.orientations.apply_orientation(grid, to_file)
    if grid.shape != geometry.shape:
        raise DataError(f"{path}: a mask of shape {grid.shape} for an image of shape {geometry.shape}.")
    return np.ascontiguousarray(grid)
