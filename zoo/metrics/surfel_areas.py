"""Areas of the surface elements between voxels, by marching cubes, as surface-distance weighs its distances.

Eight voxels (four in 2D) meet at a corner of a voxel. Where some of them are in a mask, a piece of its surface is
there: triangles between the middles of the lines from voxels inside to voxels outside. Voxels inside and outside may
be exchanged, so the fewer ones are looked at. Each group of them that is joined by faces has its own piece.

Lorensen and Cline, Marching cubes, SIGGRAPH 1987; Nikolov et al., Deep learning to achieve clinically applicable
segmentation of head and neck anatomy for radiotherapy, 2018 (arXiv 1809.04430).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import product

import numpy as np
from numpy.typing import NDArray

CODES = 256
"""Number of ways in which eight voxels can be inside or outside. Bit i is the voxel i of `VOXELS_OF_CORNER`."""

VOXELS_OF_CORNER = tuple(product((0, 1), repeat=3))
"""The voxels at a corner: 0 is the lower one along an axis, 1 the upper one."""

WHOLE = CODES - 1
"""The code of a corner inside a mask; 0 is that of a corner outside."""

Voxel = tuple[int, ...]


@lru_cache(64)
def surfel_areas(spacing: tuple[float, ...]) -> NDArray[np.float64]:
    """Return the area of the surface at a corner for each code [256]; in 2D the length of the contour.

    In 2D both halves of a code, which are the first and the second four of its bits, must be equal.

    Args:
        spacing: Size of a voxel along each of two or three axes.

    Example:
        >>> surfel_areas((1.0, 1.0, 1.0))[0b1111].item(), surfel_areas((1.0, 2.0))[0b00110011].item()
        (1.0, 2.0)
    """
    measure = _measure_contour if len(spacing) == 2 else _measure_surface
    return np.array([measure(_list_voxels(code), spacing) for code in range(CODES)])


def _list_voxels(code: int) -> list[Voxel]:
    return [voxel for bit, voxel in enumerate(VOXELS_OF_CORNER) if code >> bit & 1]


def _measure_contour(voxels: Sequence[Voxel], spacing: Sequence[float]) -> float:
    """Return the length of the contour at a corner of a pixel."""
    pixels = sorted({voxel[1:] for voxel in voxels})
    slope = 0.5 * float(np.sqrt(spacing[0] ** 2 + spacing[1] ** 2))
    if len(pixels) in (0, 4):
        return 0.0
    if len(pixels) != 2:
        return slope
    differing = [axis for axis in range(2) if pixels[0][axis] != pixels[1][axis]]
    return spacing[differing[0]] if len(differing) == 1 else 2 * slope


def _measure_surface(voxels: Sequence[Voxel], spacing: Sequence[float]) -> float:
    """Return the area of the surface at a corner of a voxel."""
    if len(voxels) > 4:
        voxels = [voxel for voxel in VOXELS_OF_CORNER if voxel not in voxels]
    faces = np.array([spacing[1] * spacing[2], spacing[0] * spacing[2], spacing[0] * spacing[1]])
    triangles = [triangle for group in _join(voxels) for triangle in _list_triangles(group)]
    return sum(float(np.linalg.norm(np.array(triangle) * faces)) for triangle in triangles)


def _list_triangles(group: Sequence[Voxel]) -> list[tuple[float, float, float]]:
    """Return the size of the normal of each triangle of a group of at most four voxels, for voxels of side 1."""
    corner, twice, thrice = (0.125,) * 3, (0.25,) * 3, (0.375,) * 3
    neighbours = sorted(sum(_are_neighbours(one, other) for other in group) for one in group)
    if len(group) == 1:
        return [corner]
    if len(group) == 2:  # a ridge along one axis
        return [_along(_differing(*group), 0.0, 0.25)] * 2
    if len(group) == 3:  # an L in one plane
        return [_along(_constant(group), 0.5, 0.0), twice, corner]
    if neighbours == [2, 2, 2, 2]:  # a square in one plane
        return [_along(_constant(group), 0.5, 0.0)] * 2
    if neighbours == [1, 1, 1, 3]:  # a voxel with its three neighbours
        return [corner, twice, twice, corner]
    inner = [one for one in group if sum(_are_neighbours(one, other) for other in group) == 2]  # of a screw
    ridges = [_along(axis, 0.0, 0.25) for axis in range(3) if axis != _differing(*inner)]
    return [thrice, *ridges, corner]


def _along(axis: int, there: float, elsewhere: float) -> tuple[float, float, float]:
    first, second, third = (there if one == axis else elsewhere for one in range(3))
    return first, second, third


def _differing(one: Voxel, other: Voxel) -> int:
    """Return the axis along which two voxels are neighbours."""
    return next(axis for axis in range(3) if one[axis] != other[axis])


def _constant(group: Sequence[Voxel]) -> int:
    """Return the axis along which a group in one plane does not extend."""
    return next(axis for axis in range(3) if len({voxel[axis] for voxel in group}) == 1)


def _are_neighbours(one: Voxel, other: Voxel) -> bool:
    return sum(a != b for a, b in zip(one, other, strict=True)) == 1


def _join(voxels: Iterable[Voxel]) -> list[list[Voxel]]:
    """Split voxels into groups that are joined by faces."""
    groups: list[list[Voxel]] = []
    for voxel in voxels:
        touched = [group for group in groups if any(_are_neighbours(voxel, one) for one in group)]
        groups = [group for group in groups if group not in touched] + [[voxel, *(v for g in touched for v in g)]]
    return groups
