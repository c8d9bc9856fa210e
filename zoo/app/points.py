"""Planes and points of an image, and the probabilities at a point."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from zoo.segment.result import Segmentation
from zoo.visualization.overlay import turn_to_viewer


def plane_of(array: NDArray[Any], axis: int, place: int) -> NDArray[Any]:
    """Return a plane of [C, *S] as rows and columns of a picture; a picture itself.

    Args:
        array: [C, H, W], or [C, X, Y, Z] in RAS order.
        axis: The axis across the plane: 0 sagittal, 1 coronal, 2 axial.
        place: The voxel on this axis; the nearest one of the volume.
    """
    if array.ndim == 3:
        return array
    inside = min(max(place, 0), array.shape[axis + 1] - 1)
    return turn_to_viewer(np.take(array, inside, axis=axis + 1))


def voxel_at(sizes: Sequence[int], axis: int, place: int, across: float, down: float) -> tuple[int, ...]:
    """Return the voxel at a point of `plane_of`, whose shares of width and height are between 0 and 1.

    Example:
        >>> voxel_at((10, 20), 2, 0, across=0.99, down=0.0)
        (0, 19)
        >>> voxel_at((10, 20, 30), 2, 7, across=0.0, down=0.99)  # axial: the left of the picture is the right
        (9, 0, 7)
    """

    def step(share: float, size: int) -> int:
        return min(max(int(share * size), 0), size - 1)

    if len(sizes) == 2:
        return step(down, sizes[0]), step(across, sizes[1])
    first, second = (number for number in range(3) if number != axis)
    found = {axis: min(max(place, 0), sizes[axis] - 1)}
    found[first] = sizes[first] - 1 - step(across, sizes[first])
    found[second] = sizes[second] - 1 - step(down, sizes[second])
    return tuple(found[number] for number in range(3))


def probability_at(found: Segmentation, voxel: Sequence[int]) -> dict[str, float]:
    """Return the probability of each class at a voxel in RAS order: that of `Segmentation.probabilities`.

    The logits of the corners around the voxel are interpolated, so that no array of the whole image is made.
    """
    names, logits = found.labels.names, found.logits.float()
    corners: list[list[tuple[int, float]]] = []
    for (start, stop), at, size in zip(found.geometry.crop, voxel, logits.shape[1:], strict=True):
        if not start <= at < stop:
            return dict.fromkeys(names, 0.0)
        place = max((at - start + 0.5) * size / (stop - start) - 0.5, 0.0)
        low = min(int(place), size - 1)
        share = min(place - low, 1.0)
        corners.append([(low, 1 - share), (min(low + 1, size - 1), share)])
    values = torch.zeros(len(logits))
    for corner in product(*corners):
        weight = float(np.prod([share for _, share in corner]))
        at_corner: tuple[slice | int, ...] = (slice(None), *(place for place, _ in corner))
        values += weight * logits[at_corner].cpu()
    shares = torch.softmax(values, 0)[1:] if found.labels.exclusive else torch.sigmoid(values)
    return dict(zip(names, shares.tolist(), strict=True))
