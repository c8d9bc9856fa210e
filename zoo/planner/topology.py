"""Strides and kernels of a U-Net that follow from voxel size and patch."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

LEAST_SIZE = 4
"""The smallest size of an axis at the bottleneck."""

NEAR = 2.0
"""Axes whose voxel sizes differ by less than this factor are pooled, and convolved, together."""


@dataclass(frozen=True, slots=True)
class Topology:
    """The stages of a U-Net. All tuples per stage begin at full resolution.

    Attributes:
        patch: The patch, padded so that each pooling divides it.
        strides: The stride of each stage per axis; 1 in the first stage.
        kernels: The kernel of each stage per axis, 1 or 3.
        divisor: Per axis, the product of all strides.
    """

    patch: tuple[int, ...]
    strides: tuple[tuple[int, ...], ...]
    kernels: tuple[tuple[int, ...], ...]
    divisor: tuple[int, ...]


def make_topology(spacing: Sequence[float], patch: Sequence[float]) -> Topology:
    """Choose strides and kernels.

    An axis is pooled while it has twice `LEAST_SIZE` voxels, and while its voxels are not `NEAR` times coarser than
    those of the finest axis that can be pooled. A single axis that is left needs three times `LEAST_SIZE`. An axis is
    convolved once its voxels are not `NEAR` times coarser than the finest.

    Args:
        spacing: Voxel size per axis.
        patch: Voxels of the patch per axis.

    Example:
        >>> make_topology((3.0, 0.76, 0.76), (48, 192, 192)).strides[1:4]
        ((1, 2, 2), (2, 2, 2), (2, 2, 2))
    """
    axes = range(len(spacing))
    steps, sizes = list(spacing), list(patch)
    kernel, divisor = [1] * len(axes), [1] * len(axes)
    strides, kernels = [tuple(kernel)], []
    while pooled := _axes_to_pool(steps, sizes):
        finest = min(steps)
        kernel = [3 if old == 3 or step / finest < NEAR else 1 for old, step in zip(kernel, steps, strict=True)]
        kernels.append(tuple(kernel))
        strides.append(tuple(2 if axis in pooled else 1 for axis in axes))
        for axis in pooled:
            steps[axis] *= 2
            sizes[axis] = math.ceil(sizes[axis] / 2)
            divisor[axis] *= 2
    kernels.append((3,) * len(axes))
    padded = tuple(math.ceil(size / part) * part for size, part in zip(patch, divisor, strict=True))
    return Topology(padded, tuple(strides), tuple(kernels), tuple(divisor))


def _axes_to_pool(steps: Sequence[float], sizes: Sequence[float]) -> list[int]:
    """The axes that the next stage pools; none where the last stage is reached."""
    large = [axis for axis, size in enumerate(sizes) if size >= 2 * LEAST_SIZE]
    if not large:
        return []
    finest = min(steps[axis] for axis in large)
    near = [axis for axis in large if steps[axis] / finest < NEAR]
    return [] if len(near) == 1 and sizes[near[0]] < 3 * LEAST_SIZE else near
