"""The largest patch whose network fits into the memory of a preset."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from zoo.planner.memory import count_values
from zoo.planner.presets import REFERENCE_BATCH, Preset
from zoo.planner.topology import Topology, make_topology

FIRST_PATCH = {2: 2048**2, 3: 256**3}
"""Voxels of the patch from which the search starts, by the number of axes."""

LOW_SHARE, LOW_STEP, LOW_GAIN = 0.25, 1.03, 2.0
"""nnU-Net plans a low-resolution stage where a patch has less than `LOW_SHARE` of the median image. It makes voxels
`LOW_STEP` times larger until that is no longer so, and drops the stage if the image is less than `LOW_GAIN` times
smaller."""


class Search(NamedTuple):
    """A patch and how it was found.

    Attributes:
        topology: The patch with its strides and kernels.
        start: The patch from which the search started, clipped to the median shape.
        steps: How often an axis was made smaller.
        values: The values of the feature maps of one image; see `zoo.planner.memory`.
    """

    topology: Topology
    start: tuple[float, ...]
    steps: int
    values: int


def search_patch(spacing: Sequence[float], shape: Sequence[float], preset: Preset, labels: int) -> Search:
    """Shrink a patch until the memory of the preset holds its network.

    The patch starts with equal edges in the unit of the spacing. The axis that covers the largest share of the median
    shape shrinks first; of equal ones, the last.

    Args:
        spacing: Voxel size per axis.
        shape: Median shape of the training cases.
        preset: The kind of network and its memory.
        labels: The number of labels, the background included.

    Example:
        >>> from zoo.planner.presets import PRESETS
        >>> search_patch((1.0, 0.77, 0.77), (482, 512, 512), PRESETS["plain"], labels=3).topology.patch
        (128, 128, 128)
    """
    axes = range(len(spacing))
    edge = (FIRST_PATCH[len(axes)] * math.prod(spacing)) ** (1 / len(axes))
    start = tuple(min(round(edge / step), size) for step, size in zip(spacing, shape, strict=True))
    topology, steps = make_topology(spacing, start), 0
    while (values := count_values(topology, preset, labels)) > most_values(preset, len(axes)):
        patch = list(topology.patch)
        fullest = max(axes, key=lambda axis: (patch[axis] / shape[axis], axis))
        # The smaller patch may have fewer poolings; the step is as wide as its own divisor.
        smaller = [size - topology.divisor[fullest] * (axis == fullest) for axis, size in enumerate(patch)]
        patch[fullest] -= make_topology(spacing, smaller).divisor[fullest]
        topology, steps = make_topology(spacing, patch), steps + 1
    return Search(topology, start, steps, values)


def most_values(preset: Preset, axes: int) -> float:
    """The most values that the feature maps of one image may have.

    nnU-Net compares the plain network with the reference at the smallest batch, and the residual ones per image.
    """
    reference = preset.reference[axes]
    return reference if preset.residual else reference * REFERENCE_BATCH[axes] / 2


def find_low_resolution(
    spacing: Sequence[float], shape: Sequence[float], full: Topology, preset: Preset, labels: int
) -> tuple[float, ...] | None:
    """Find the voxel size of nnU-Net's low-resolution stage for volumes; None where it plans none.

    Args:
        spacing: Voxel size of the full resolution.
        shape: Median shape at full resolution.
        full: The patch at full resolution.
        preset: The kind of network and its memory.
        labels: The number of labels, the background included.
    """
    voxels, in_patch, steps = math.prod(shape), math.prod(full.patch), list(spacing)
    while in_patch / voxels < LOW_SHARE:
        coarsest = max(steps)
        fine = [step for step in steps if coarsest / step > 2]  # these axes alone, until all are alike
        steps = [step * LOW_STEP if step in fine or not fine else step for step in steps]
        sizes = [size * old / step for size, old, step in zip(shape, spacing, steps, strict=True)]
        voxels = math.prod(sizes)
        in_patch = math.prod(
            search_patch(steps, [max(1, round(size)) for size in sizes], preset, labels).topology.patch
        )
    return tuple(steps) if math.prod(shape) / voxels >= LOW_GAIN else None
