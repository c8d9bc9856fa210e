"""Whether two files of a case lie on one grid: the same shape, and each voxel at the same place."""

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
"""So many voxels a corner may lie off: above what the rounding of headers makes, below what a score could notice."""

log = logging.getLogger(__name__)

_RAS = axcodes2ornt(("R", "A", "S"))


def same_grid(path: Path, found: Geometry, other: Path, due: Geometry, tolerance: float = TOLERANCE) -> None:
    """Check that a file lies on the grid of a case's first image.

    Both are compared in RAS order, so that files stored along other axes are the same grid where their
    affines say so.

    Args:
        path: The file.
        found: Its geometry, as its reader gives it.
        other: The first image.
        due: Its geometry.
        tolerance: How far the corners may lie apart, in voxels of the image.

    Raises:
        DataError: `shape_mismatch`, or `affine_mismatch`, which tells origin, spacing and direction apart.
    """
    here, there = _shape(found), _shape(due)
    stored_alike = found.affine is not None and due.affine is not None and found.shape == due.shape
    if here != there and not stored_alike:
        raise DataError(f"{path}: shape {here}, but {there} in {other}.", "Mend or remove the case.", "shape_mismatch")
    if found.affine is None or due.affine is None or (here == there and drift(found, due) <= tolerance):
        return
    raise DataError(
        f"{path}: the affine is not that of {other}: {', '.join(differences(found, due, tolerance))}.",
        "If the voxels are right and the header is not, `zoo data verify SET --fix header --out DIR` writes a "
        "corrected copy.",
        "affine_mismatch",
    )


def same_voxels(path: Path, found: Geometry, other: Path, due: Geometry) -> None:
    """Check that the arrays of two files are those of one grid, voxel by voxel, whatever their headers add.

    Where only origin or spacing differ, the arrays lie on each other as they are stored, and the image's header
    is the one that counts: it is told once, not refused. Other axes would lay them on each other otherwise.

    Args:
        path: The file.
        found: Its geometry.
        other: The first image.
        due: Its geometry.

    Raises:
        DataError: As `same_grid`, but for an origin or a spacing alone.
    """
    try:
        same_grid(path, found, other, due)
    except DataError as error:
        if error.kind != "affine_mismatch" or not np.array_equal(_axes(found), _axes(due)):
            raise
        log.warning("%s The voxels are taken as they are stored.", error.problem)


def drift(found: Geometry, due: Geometry) -> float:
    """How far the corners of a grid lie from where another grid of the same RAS shape has them.

    Returns:
        The largest distance along an axis of `due`, in its voxels.
    """
    corners = np.array([(*corner, 1) for corner in product(*((0, size - 1) for size in _shape(due)))], float).T
    moved = np.linalg.solve(_ras_affine(due), _ras_affine(found) @ corners)
    return float(np.abs(moved - corners).max())


def differences(found: Geometry, due: Geometry, tolerance: float) -> list[str]:
    """What of two affines differs, in words: spacing and direction by what they move at the far end of an axis."""
    alike = found.shape == due.shape  # else only the RAS grids can be compared
    affines = [np.asarray(g.affine) if alike else _ras_affine(g) for g in (found, due)]
    reach = np.array(due.shape[:3] if alike else _shape(due)) - 1
    here, there = affines
    sizes, due_sizes = voxel_sizes(here), voxel_sizes(there)
    axes, due_axes = here[:3, :3] / sizes, there[:3, :3] / due_sizes
    off = here[:3, 3] - there[:3, 3]
    told = []
    if np.abs(np.linalg.solve(there[:3, :3], off)).max() > tolerance:
        told.append(f"the origin is {np.linalg.norm(off):.4g} mm off")
    if (np.abs(sizes / due_sizes - 1) * reach).max() > tolerance:
        told.append(f"the spacing is {_numbers(sizes)}, not {_numbers(due_sizes)} mm")
    if (np.linalg.norm(axes - due_axes, axis=0) * reach).max() > tolerance:
        turned = np.degrees(np.arccos(np.clip((axes * due_axes).sum(axis=0), -1, 1))).max()
        told.append(f"the direction of an axis is {turned:.4g} degrees off")
    return told or ["origin, spacing and direction together move a corner by more than the tolerance"]


def _shape(geometry: Geometry) -> tuple[int, ...]:
    """The shape in RAS order; a reader's geometry has the crop of the whole array."""
    return tuple(stop - start for start, stop in geometry.crop)


def _axes(geometry: Geometry) -> NDArray[np.float64]:
    """Which way each stored axis points, as nibabel's orientations have it."""
    return np.asarray(io_orientation(np.asarray(geometry.affine, dtype=np.float64)))


def _ras_affine(geometry: Geometry) -> NDArray[np.float64]:
    """The affine of the array in RAS order."""
    affine = np.asarray(geometry.affine, dtype=np.float64)
    turn = ornt_transform(io_orientation(affine), _RAS)
    turned: NDArray[np.float64] = affine @ inv_ornt_aff(turn, geometry.shape[:3])
    return turned


def _numbers(values: NDArray[np.float64]) -> str:
    return " x ".join(f"{value:.5g}" for value in values)
