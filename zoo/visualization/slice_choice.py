"""Choose the most informative plane of a case, and extract its image and masks for a picture."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from types import EllipsisType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zoo.types import Geometry
from zoo.visualization.overlay import scale_to_bytes, turn_to_viewer

OBLIQUE = 1.5
"""If the voxels are longer by this factor along another axis than from feet to head, slices are across that axis."""

ARRAYS = ("image", "truth", "prediction", "extent")
"""Names of the arrays that a picture needs."""

Mask = NDArray[np.uint8]
Box = list[tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Plane:
    """One slice of a volume.

    Attributes:
        axis: The axis that the slice is perpendicular to, in RAS order.
        index: The index of the slice on the grid of the file.
    """

    axis: int
    index: int

    def on_network(self, geometry: Geometry, count: int) -> int:
        """Return the index of the nearest slice on the network's grid, which has `count` slices along this axis."""
        first, last = geometry.crop[self.axis]
        place = math.floor((self.index + 0.5 - first) / (last - first) * count)
        return min(max(place, 0), count - 1)


def choose_plane(truth: Mask, prediction: Mask, geometry: Geometry) -> Plane | None:
    """Choose the plane with the most voxels of the truth, or else of the prediction; None for a 2-D image.

    The plane is axial, or perpendicular to an axis along which the voxels are much longer.

    Args:
        truth: Label with the layout of `Native.label`.
        prediction: Label with the same layout.
        geometry: Geometry of both.
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


def extract_plane(
    pixels: NDArray[np.float32], truth: Mask, prediction: Mask, geometry: Geometry, plane: Plane | None
) -> dict[str, NDArray[Any]]:
    """Extract the arrays of a picture, turned to the viewer.

    Args:
        pixels: [C, h, w], the image or its slice on the network's grid. Unless it has three channels, the first is
            shown.
        truth: Label with the layout of `Native.label`.
        prediction: Label with the same layout.
        geometry: Geometry of both.
        plane: The slice of the labels; None for a 2-D image.

    Returns:
        `image`: uint8 [1 or 3, h, w]. `truth` and `prediction`: uint8, the plane of both labels. `extent`: height and
        width in the unit of the spacing.
    """
    crop, steps, masks = list(geometry.crop), list(geometry.spacing), [truth, prediction]
    if plane is not None:
        crop.pop(plane.axis)
        steps.pop(plane.axis)
        masks = [np.take(mask, plane.index, axis=mask.ndim - 3 + plane.axis) for mask in masks]
    view = _view(masks[0], crop)
    shown = _padded(scale_to_bytes(pixels if len(pixels) == 3 else pixels[:1]), crop, view)
    cut: tuple[EllipsisType | slice, ...] = (..., *(slice(first, last) for first, last in view))
    planes = [shown, *(mask[cut] for mask in masks)]
    extent = [(last - first) * step for (first, last), step in zip(view, steps, strict=True)]
    if plane is not None:
        planes, extent = [turn_to_viewer(one) for one in planes], extent[::-1]
    return dict(zip(ARRAYS, [*planes, np.array(extent)], strict=True))


def _view(truth: Mask, crop: Sequence[tuple[int, int]]) -> Box:
    """The box of the crop, enlarged to the truth outside of it, so that regions outside of the crop are shown too."""
    places = np.argwhere(truth)[:, -2:]
    if not len(places):
        return list(crop)
    lows, highs = places.min(axis=0), places.max(axis=0) + 1
    return [
        (min(first, int(low)), max(last, int(high))) for (first, last), low, high in zip(crop, lows, highs, strict=True)
    ]


def _padded(image: NDArray[np.uint8], crop: Sequence[tuple[int, int]], view: Box) -> NDArray[np.uint8]:
    """The image of the crop with a black border, so that it covers the view to within half of its pixels."""
    if view == list(crop):
        return image
    sides = [(0, 0)]
    for (first, last), (low, high), count in zip(crop, view, image.shape[1:], strict=True):
        rate = count / (last - first)
        sides.append((round((first - low) * rate), round((high - last) * rate)))
    return np.pad(image, sides)
