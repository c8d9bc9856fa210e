"""Scores by the convention of DeepMind's surface-distance, equal to those of that package.

The surface of a mask is at the corners of its voxels, where voxels inside and outside meet. Distances are between such
corners, and each corner has the area of the surface there (`zoo.metrics.surfel_areas`). HD95 is the larger of the two
directed 95th percentiles of the area, without interpolation. NSD is the share of the area within the tolerance.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from zoo.compiled import has_numba
from zoo.errors import DataError
from zoo.metrics.class_masks import objects
from zoo.metrics.surface import directed_distances
from zoo.metrics.surfel_areas import VOXELS_OF_CORNER, WHOLE, surfel_areas
from zoo.types import LabelSpace

_SHARE = 0.95


class SurfelScores(NamedTuple):
    """The scores of one class.

    Attributes:
        hd95: Robust Hausdorff distance at 95 %; infinite where a mask is empty.
        nsd: Surface Dice at the tolerance; 0 where one mask is empty, NaN where both are.
    """

    hd95: float
    nsd: float


class Surfels(NamedTuple):
    """The corners on one surface, by their distance to the other surface and then by their area.

    Attributes:
        distances: Distances [N].
        areas: Areas [N].
    """

    distances: NDArray[np.float64]
    areas: NDArray[np.float64]


def compare_surfels(
    mask: NDArray[np.uint8],
    label: NDArray[np.uint8],
    labels: LabelSpace,
    spacing: Sequence[float],
    tolerance: float,
) -> list[SurfelScores]:
    """Compare a prediction with its label: one result per class, in the order of the label space.

    Args:
        mask: The prediction: 0..K of shape S where classes are exclusive, else {0, 1} of shape (K, *S).
        label: The label, in the same layout.
        labels: The label space.
        spacing: Size of a voxel along each axis of S.
        tolerance: Tolerance of NSD, in the unit of the spacing; an equal distance is within it.

    Raises:
        DataError: The image has neither two nor three axes.

    Example:
        >>> mask, labels = np.zeros((4, 4), np.uint8), LabelSpace(("organ",), ((1,),))
        >>> mask[1, 1] = 1
        >>> compare_surfels(mask, np.roll(mask, 1, axis=1), labels, (1.0, 1.0), 0.5)
        [SurfelScores(hd95=1.0, nsd=0.5)]
    """
    if len(spacing) not in (2, 3):
        raise DataError(
            f"The convention surface-distance has no surface of {len(spacing)} axes.", "Leave this convention out."
        )
    if has_numba():
        from zoo.metrics.compiled_surfels import search_surfels as search
    else:
        search = search_with_scipy
    return [score_surfels(*pair, tolerance) for pair in search(mask, label, labels, tuple(map(float, spacing)))]


def score_surfels(there: Surfels, back: Surfels, tolerance: float) -> SurfelScores:
    """Compute the scores of two surfaces from their corners.

    Sums have the order of surface-distance, so that rounding decides ties as there.

    Args:
        there: The corners of the first surface.
        back: Those of the second surface.
        tolerance: Tolerance of NSD.
    """
    area = np.sum(there.areas) + np.sum(back.areas)
    within = sum(np.sum(one.areas[one.distances <= tolerance]) for one in (there, back))
    return SurfelScores(max(map(_find_percentile, (there, back))), float(within / area) if area else math.nan)


def _find_percentile(surfels: Surfels) -> float:
    if not surfels.areas.size:
        return math.inf
    shares = np.cumsum(surfels.areas) / np.sum(surfels.areas)
    return float(surfels.distances[min(int(np.searchsorted(shares, _SHARE)), shares.size - 1)])


def sort_surfels(distances: NDArray[np.float64], areas: NDArray[np.float64]) -> Surfels:
    """Sort corners by distance and then by area."""
    order = np.lexsort((areas, distances))
    return Surfels(distances[order], areas[order])


def pair_empty(first: bool, second: bool) -> tuple[Surfels, Surfels]:
    """Return the corners of two masks that are not both there.

    Without another surface each distance is infinite, so that one corner of any area stands for all.

    Args:
        first: Whether the first mask has a voxel.
        second: Whether the second one has.
    """
    alone, nothing = Surfels(np.array([np.inf]), np.ones(1)), Surfels(np.empty(0), np.empty(0))
    return (alone if first else nothing), (alone if second else nothing)


def search_with_scipy(
    mask: NDArray[np.uint8], label: NDArray[np.uint8], labels: LabelSpace, spacing: tuple[float, ...]
) -> list[tuple[Surfels, Surfels]]:
    """Find the corners of both surfaces of each class with NumPy and SciPy."""
    found = []
    for predicted, true, _ in objects(mask, label, labels):
        if not predicted.any() or not true.any():
            found.append(pair_empty(bool(predicted.any()), bool(true.any())))
            continue
        codes = [_find_codes(one) for one in (predicted, true)]
        borders = [(code != 0) & (code != WHOLE) for code in codes]
        distances = directed_distances(borders[0], borders[1], spacing)
        areas = [surfel_areas(spacing)[code[border]] for code, border in zip(codes, borders, strict=True)]
        found.append((sort_surfels(distances[0], areas[0]), sort_surfels(distances[1], areas[1])))
    return found


def _find_codes(mask: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Return the code of each corner of a mask of two or three axes, one more along each axis than there are voxels."""
    padded = np.pad(mask.astype(np.uint8), 1)
    codes = np.zeros([size + 1 for size in mask.shape], np.uint8)
    for bit, voxel in enumerate(VOXELS_OF_CORNER):
        place = tuple(slice(step, step + size) for step, size in zip(voxel[-mask.ndim :], codes.shape, strict=True))
        codes |= padded[place] << np.uint8(bit)
    return codes
