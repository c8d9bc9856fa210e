"""Check that two files of a case have the same grid: the same shape, and each voxel at the same position."""

from __future__ import annotations

import logging
from itertools import product
from pathlib import Path

import numpy as np
from nibabel.affines import voxel_sizes
from nibabel.orientations import axcodes2ornt, inv_ornt_aff, io_orientation, ornt_transform
from numpy.typing import NDArray

from zoo.errors import DataError
from zoo.types import Geometry

TOLERANCE = 0.1
"""Largest distance between two corners that must coincide, in voxels. Rounding of headers stays below it, and a shift
of this size does not change a score visibly."""

log = logging.getLogger(__name__)

_RAS = axcodes2ornt(("R", "A", "S"))


def check_same_grid(
    path: Path, geometry: Geometry, image: Path, image_geometry: Geometry, tolerance: float = TOLERANCE
) -> None:
    """Check that a file of a case has the grid of the first image of the case.

    Both grids are compared in RAS order, so that files with different axes have the same grid if their affines agree.

    Args:
        path: The file.
        geometry: Geometry of the file, as its reader returns it.
        image: The first image.
        image_geometry: Geometry of the first image.
        tolerance: Largest distance between corresponding corners, in voxels of the image.

    Raises:
        DataError: `shape_mismatch`, or `affine_mismatch` with the difference in origin, spacing and direction.
    """
    shape, image_shape = _ras_shape(geometry), _ras_shape(image_geometry)
    both_affine = geometry.affine is not None and image_geometry.affine is not None
    if shape != image_shape and not (both_affine and geometry.shape == image_geometry.shape):
        raise DataError(
            f"{path}: shape {shape}, but {image_shape} in {image}.",
            "Correct the file or remove the case.",
            "shape_mismatch",
        )
    if not both_affine or (shape == image_shape and corner_distance(geometry, image_geometry) <= tolerance):
        return
    raise DataError(
        f"{path}: the affine is not that of {image}: "
        f"{', '.join(list_differences(geometry, image_geometry, tolerance))}.",
        "If the voxels are right and the header is wrong, `zoo data verify SET --fix header --out DIR` writes a "
        "corrected copy.",
        "affine_mismatch",
    )


def check_same_voxels(path: Path, geometry: Geometry, image: Path, image_geometry: Geometry) -> None:
    """Check that the array of a file fits the array of the first image of its case, voxel by voxel.

    If only origin or spacing differ, the arrays still fit, and the header of the image is used: this is a warning.
    If the axes differ, the arrays would not fit: this is an error.

    Args:
        path: The file.
        geometry: Geometry of the file.
        image: The first image.
        image_geometry: Geometry of the first image.

    Raises:
        DataError: As `check_same_grid`, except where only origin or spacing differ.
    """
    try:
        check_same_grid(path, geometry, image, image_geometry)
    except DataError as error:
        if error.kind != "affine_mismatch" or not np.array_equal(_orientation(geometry), _orientation(image_geometry)):
            raise
        log.warning("%s The voxels are used as they are stored.", error.problem)


def corner_distance(grid: Geometry, reference: Geometry) -> float:
    """Compute how far the corners of two grids with the same RAS shape are apart.

    Returns:
        The largest distance along an axis of `reference`, in its voxels.
    """
    corners = np.array(
        [(*corner, 1) for corner in product(*((0, size - 1) for size in _ras_shape(reference)))], float
    ).T
    moved = np.linalg.solve(_ras_affine(reference), _ras_affine(grid) @ corners)
    return float(np.abs(moved - corners).max())


def list_differences(grid: Geometry, reference: Geometry, tolerance: float) -> list[str]:
    """Describe how two affines differ. Spacing and direction count by the shift at the far end of an axis."""
    same_shape = grid.shape == reference.shape  # otherwise only the RAS grids can be compared
    affine, due = (np.asarray(one.affine) if same_shape else _ras_affine(one) for one in (grid, reference))
    reach = np.array(reference.shape[:3] if same_shape else _ras_shape(reference)) - 1
    sizes, due_sizes = voxel_sizes(affine), voxel_sizes(due)
    axes, due_axes = affine[:3, :3] / sizes, due[:3, :3] / due_sizes
    shift = affine[:3, 3] - due[:3, 3]
    found = []
    if np.abs(np.linalg.solve(due[:3, :3], shift)).max() > tolerance:
        found.append(f"the origin is {np.linalg.norm(shift):.4g} mm off")
    if (np.abs(sizes / due_sizes - 1) * reach).max() > tolerance:
        found.append(f"the spacing is {_numbers(sizes)}, not {_numbers(due_sizes)} mm")
    if (np.linalg.norm(axes - due_axes, axis=0) * reach).max() > tolerance:
        turned = np.degrees(np.arccos(np.clip((axes * due_axes).sum(axis=0), -1, 1))).max()
        found.append(f"the direction of an axis is {turned:.4g} degrees off")
    return found or ["origin, spacing and direction together move a corner by more than the tolerance"]


def _ras_shape(geometry: Geometry) -> tuple[int, ...]:
    """The shape in RAS order. A reader returns a geometry whose crop is the full array."""
    return tuple(stop - start for start, stop in geometry.crop)


def _orientation(geometry: Geometry) -> NDArray[np.float64]:
    """The direction of each stored axis, in nibabel's notation."""
    return np.asarray(io_orientation(np.asarray(geometry.affine, dtype=np.float64)))


def _ras_affine(geometry: Geometry) -> NDArray[np.float64]:
    """The affine of the array in RAS order."""
    affine = np.asarray(geometry.affine, dtype=np.float64)
    turn = ornt_transform(io_orientation(affine), _RAS)
    turned: NDArray[np.float64] = affine @ inv_ornt_aff(turn, geometry.shape[:3])
    return turned


def _numbers(values: NDArray[np.float64]) -> str:
    return " x ".join(f"{value:.5g}" for value in values)
