"""Distances between the surfaces of two masks, in physical units.

The surface of a mask is its border voxels: those with a face neighbour (4 in 2D, 6 in 3D) outside
the mask. What lies beyond the image counts as outside, so a mask that runs into the image's edge
has a border there. Distances run between voxel centres. This is the convention of MONAI and medpy;
DeepMind's surface-distance measures between voxel corners and weighs by area instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

_ROUNDING = 1e-9
"""Relative slack of the tolerance, so that rounding decides no distance that equals it."""


class SurfaceScores(NamedTuple):
    """How far two surfaces are apart; every figure is symmetric in the two masks.

    Attributes:
        hd95: The larger of the two directed 95th percentiles, linearly interpolated (MONAI, Metrics Reloaded).
        hd95_pooled: The 95th percentile of the distances of both directions together (medpy).
        nsd: Share of the border voxels of both masks that lie within the tolerance of the other's border.
        assd: Mean distance of the border voxels of both masks together (medpy; MONAI with symmetric=True).
        hd95_voxels: As `hd95` with every voxel of side 1: what is printed where the spacing was not passed on.
        hd95_pooled_voxels: As `hd95_pooled`, likewise.
    """

    hd95: float
    hd95_pooled: float
    nsd: float
    assd: float
    hd95_voxels: float
    hd95_pooled_voxels: float


def diagonal(shape: Sequence[int], spacing: Sequence[float]) -> float:
    """The distance of two opposite corner voxels, `||(shape - 1) * spacing||`: no distance is larger.

    Args:
        shape: Voxels on each axis.
        spacing: Size of a voxel on each axis.
    """
    return float(np.linalg.norm((np.asarray(shape) - 1) * np.asarray(spacing, dtype=np.float64)))


def border(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The border voxels of a mask; what lies beyond the array counts as outside.

    Args:
        mask: Boolean, of any number of axes.
    """
    inner = mask.copy()
    for axis in range(mask.ndim):
        here, there = np.moveaxis(inner, axis, 0), np.moveaxis(mask, axis, 0)
        here[1:] &= there[:-1]
        here[:-1] &= there[1:]
        here[0] = here[-1] = False
    return mask & ~inner


def surface_scores(
    first: NDArray[np.bool_], second: NDArray[np.bool_], spacing: Sequence[float], tolerance: float
) -> SurfaceScores:
    """Every surface score of two masks that are not empty.

    Args:
        first: Boolean mask.
        second: Another of the same shape.
        spacing: Size of a voxel on each axis, in the unit of the result.
        tolerance: Of `nsd`, in the same unit; a distance that equals it is within.
    """
    borders = border(first), border(second)
    there, back = directed_distances(*borders, spacing)
    both = np.concatenate([there, back])
    larger, pooled = _percentiles(there, back)
    if len({float(size) for size in spacing}) == 1:
        in_voxels = (larger / float(spacing[0]), pooled / float(spacing[0]))
    else:
        in_voxels = _percentiles(*directed_distances(*borders, [1.0] * first.ndim))
    return SurfaceScores(
        hd95=larger,
        hd95_pooled=pooled,
        nsd=float(np.mean(both <= tolerance * (1 + _ROUNDING))),
        assd=float(both.mean()),
        hd95_voxels=in_voxels[0],
        hd95_pooled_voxels=in_voxels[1],
    )


def directed_distances(
    first: NDArray[np.bool_], second: NDArray[np.bool_], spacing: Sequence[float]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Distances of the voxels of each border to the nearest of the other; a crop that holds both changes none.

    Args:
        first: What `border` gave of a mask that is not empty.
        second: Of another mask of the same shape.
        spacing: Size of a voxel on each axis.

    Returns:
        One distance a border voxel: first to second, then second to first.
    """
    scale = np.asarray(spacing, dtype=np.float64)
    return _nearest(first, second, scale), _nearest(second, first, scale)


def _percentiles(there: NDArray[np.float64], back: NDArray[np.float64]) -> tuple[float, float]:
    """The larger of the directed 95th percentiles, and that of both directions together."""
    larger = max(np.percentile(there, 95), np.percentile(back, 95))
    return float(larger), float(np.percentile(np.concatenate([there, back]), 95))


def _nearest(start: NDArray[np.bool_], goal: NDArray[np.bool_], scale: NDArray[np.float64]) -> NDArray[np.float64]:
    """Distance from each True of `start` to the nearest True of `goal`."""
    distances = np.zeros(np.count_nonzero(start))
    apart = start & ~goal  # most voxels of two good borders coincide: only the others need a search
    if apart.any():
        tree = cKDTree(np.argwhere(goal) * scale, balanced_tree=False, compact_nodes=False)
        distances[apart[start]] = tree.query(np.argwhere(apart) * scale)[0]
    return distances
