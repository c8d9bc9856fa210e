"""Distances between the surfaces of two masks, in physical units.

The surface of a mask is the set of its border voxels: voxels with a face neighbour (4 in 2D, 6 in 3D) outside the mask.
Beyond the image is outside, so a mask that touches the edge of the image has a border there. Distances are between
centres of voxels. This is the convention of MONAI and medpy; DeepMind's surface-distance measures between corners of
voxels and weights by area.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from zoo.metrics.distance_kernels import DistanceScores, score_distances


class SurfaceScores(NamedTuple):
    """Distances between two surfaces; every value is symmetric in the two masks.

    Attributes:
        hd95: The larger of the two directed 95th percentiles, linearly interpolated (MONAI, Metrics Reloaded).
        hd95_pooled: The 95th percentile of the distances of both directions together (medpy).
        nsd: Share of the border voxels of both masks within the tolerance of the other border.
        assd: Mean distance of the border voxels of both masks together (medpy; MONAI with symmetric=True).
        hd95_voxels: `hd95` with voxels of side 1, as papers print it if they did not use the spacing.
        hd95_pooled_voxels: `hd95_pooled` with voxels of side 1.
        hd: The largest distance (Hausdorff distance).
    """

    hd95: float
    hd95_pooled: float
    nsd: float
    assd: float
    hd95_voxels: float
    hd95_pooled_voxels: float
    hd: float


def diagonal(shape: Sequence[int], spacing: Sequence[float]) -> float:
    """Return the distance between opposite corner voxels, `||(shape - 1) * spacing||`: no distance is larger.

    Args:
        shape: Number of voxels on each axis.
        spacing: Size of a voxel on each axis.
    """
    return float(np.linalg.norm((np.asarray(shape) - 1) * np.asarray(spacing, dtype=np.float64)))


def border(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the border voxels of a mask; beyond the array is outside.

    Args:
        mask: Boolean, with any number of axes.
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
    """Compute every surface score of two masks that are not empty.

    Args:
        first: Boolean mask.
        second: Boolean mask of the same shape.
        spacing: Size of a voxel on each axis, in the unit of the result.
        tolerance: Tolerance of `nsd` in the same unit; an equal distance is within it.
    """
    borders = border(first), border(second)
    found = [_score(*directed_distances(*borders, spacing), tolerance)]
    if not is_isotropic(spacing):
        found.append(_score(*directed_distances(*borders, [1.0] * first.ndim), tolerance))
    return gather_scores(found, spacing)


def is_isotropic(spacing: Sequence[float]) -> bool:
    """Return whether voxels have the same size along all axes, so that distances in voxels need no further search."""
    return len({float(size) for size in spacing}) == 1


def gather_scores(found: Sequence[DistanceScores], spacing: Sequence[float]) -> SurfaceScores:
    """Put together the scores in physical units and in voxels.

    Args:
        found: The scores in the unit of the spacing, then those in voxels; the latter where they are anisotropic.
        spacing: Size of a voxel on each axis.
    """
    hd, larger, pooled, nsd, assd = found[0]
    in_voxels = found[1][1:3] if len(found) > 1 else (larger / float(spacing[0]), pooled / float(spacing[0]))
    return SurfaceScores(larger, pooled, nsd, assd, *in_voxels, hd)


def directed_distances(
    first: NDArray[np.bool_], second: NDArray[np.bool_], spacing: Sequence[float]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Compute the distance of each voxel of a border to the nearest voxel of the other border.

    A crop that contains both borders does not change the result.

    Args:
        first: The `border` of a mask that is not empty.
        second: The `border` of another mask of the same shape.
        spacing: Size of a voxel on each axis.

    Returns:
        One distance per border voxel: first to second, then second to first.
    """
    scale = np.asarray(spacing, dtype=np.float64)
    return _nearest(first, second, scale), _nearest(second, first, scale)


def _score(there: NDArray[np.float64], back: NDArray[np.float64], tolerance: float) -> DistanceScores:
    distances, places = np.unique(np.concatenate([there, back]), return_inverse=True)
    first, second = (np.bincount(one, minlength=distances.size) for one in np.split(places, [there.size]))
    return score_distances(distances, first, second, tolerance)


def _nearest(start: NDArray[np.bool_], goal: NDArray[np.bool_], scale: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the distance from each True of `start` to the nearest True of `goal`."""
    distances = np.zeros(np.count_nonzero(start))
    apart = start & ~goal  # most voxels of two similar borders are equal, and only the others need a search
    if apart.any():
        from scipy.spatial import cKDTree  # half a second, which each command that reads scores would pay

        goals, places = np.argwhere(goal), np.argwhere(apart)
        tree = cKDTree(goals * scale, balanced_tree=False, compact_nodes=False)
        steps = goals[tree.query(places * scale)[1]] - places  # the tree rounds the places, and steps are exact
        distances[apart[start]] = np.sqrt(((steps * scale) ** 2).sum(1))
    return distances
