"""The plane of a case that is worth a look, and what a picture needs of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from types import EllipsisType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zoo.types import Geometry
from zoo.visualization.overlay import facing, to_bytes

OBLIQUE = 1.5
"""A volume whose voxels are longer by this along another axis than from feet to head was taken along that axis."""

ARRAYS = ("image", "truth", "prediction", "extent")
"""Names of what a picture needs."""

Mask = NDArray[np.uint8]
Box = list[tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Plane:
    """One slice of a volume: the axis that it lies across and its index, on the file's grid in RAS order."""

    axis: int
    index: int

    def on_network(self, geometry: Geometry, count: int) -> int:
        """The index of the nearest slice on the network's grid, which has `count` of them."""
        first, last = geometry.crop[self.axis]
        place = math.floor((self.index + 0.5 - first) / (last - first) * count)
        return min(max(place, 0), count - 1)


def choose_plane(truth: Mask, prediction: Mask, geometry: Geometry) -> Plane | None:
    """The plane with the most truth on it, else the one with the most prediction; None for an image.

    It lies across the feet-to-head axis, or across the one along which the voxels are far longer.

    Args:
        truth: Laid out as `Native.label` is.
        prediction: Likewise.
        geometry: Of both.
    """
    steps = geometry.spacing
    if len(steps) == 2:
        return None
    axis = max(range(3), key=lambda a: steps[a]) if max(steps) > OBLIQUE * steps[2] else 2
    for mask in (truth, prediction):
        across = axis - 3
        others = tuple(a for a in range(mask.ndim) if a != mask.ndim + across)
        areas = np.count_nonzero(mask, axis=others)
        if areas.any():
            break
    return Plane(axis, int(areas.argmax()) if areas.any() else len(areas) // 2)


def plane_arrays(
    pixels: NDArray[np.float32], truth: Mask, prediction: Mask, geometry: Geometry, plane: Plane | None
) -> dict[str, NDArray[Any]]:
    """What a picture needs, as it faces the viewer.

    Args:
        pixels: [C, h, w], the image or its slice on the network's grid; other than three channels, the first is shown.
        truth: Laid out as `Native.label` is.
        prediction: Likewise.
        geometry: Of both.
        plane: The slice of the masks, None for an image.

    Returns:
        `image` uint8 [1 or 3, h, w]; `truth` and `prediction` uint8, laid out as before but of the plane;
        `extent`, height and width in the unit of the spacing.
    """
    crop, steps, masks = list(geometry.crop), list(geometry.spacing), [truth, prediction]
    if plane is not None:
        crop.pop(plane.axis)
        steps.pop(plane.axis)
        masks = [np.take(mask, plane.index, axis=mask.ndim - 3 + plane.axis) for mask in masks]
    view = _view(masks[0], crop)
    shown = _padded(to_bytes(pixels if len(pixels) == 3 else pixels[:1]), crop, view)
    cut: tuple[EllipsisType | slice, ...] = (..., *(slice(first, last) for first, last in view))
    planes = [shown, *(mask[cut] for mask in masks)]
    extent = [(last - first) * step for (first, last), step in zip(view, steps, strict=True)]
    if plane is not None:
        planes, extent = [facing(one) for one in planes], extent[::-1]
    return dict(zip(ARRAYS, [*planes, np.array(extent)], strict=True))


def _view(truth: Mask, crop: Sequence[tuple[int, int]]) -> Box:
    """What the network saw, widened to the truth outside of it: a region that it could not find is shown as well."""
    places = np.argwhere(truth)[:, -2:]
    if not len(places):
        return list(crop)
    lows, highs = places.min(axis=0), places.max(axis=0) + 1
    return [
        (min(first, int(low)), max(last, int(high))) for (first, last), low, high in zip(crop, lows, highs, strict=True)
    ]


def _padded(image: NDArray[np.uint8], crop: Sequence[tuple[int, int]], view: Box) -> NDArray[np.uint8]:
    """The image of the crop with black around it, to cover the view within half a pixel of its own."""
    if view == list(crop):
        return image
    sides = [(0, 0)]
    for (first, last), (low, high), count in zip(crop, view, image.shape[1:], strict=True):
        rate = count / (last - first)
        sides.append((round((first - low) * rate), round((high - last) * rate)))
    return np.pad(image, sides)
