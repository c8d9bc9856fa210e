"""Crops the two masks of each class to their content, because an organ is small compared with the volume."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import find_objects

from zoo.types import LabelSpace


def objects(
    mask: NDArray[np.uint8], label: NDArray[np.uint8], labels: LabelSpace
) -> Iterator[tuple[NDArray[np.bool_], NDArray[np.bool_], tuple[int, ...]]]:
    """Yield both masks of each class, in the order of the label space, without a one-hot copy of the volume.

    Args:
        mask: The prediction: 0..K of shape S where classes are exclusive, else {0, 1} of shape (K, *S).
        label: The label, in the same layout.
        labels: The label space.

    Yields:
        Boolean prediction and label, cropped to the smallest box that contains both, and the shape S. The crop does
        not change a border. It has size 0 if both masks are empty.
    """
    classes = len(labels.names)
    if labels.exclusive:
        predicted, true = find_objects(mask, classes), find_objects(label, classes)
        for value in range(1, classes + 1):
            box = _union((predicted[value - 1], true[value - 1]), mask.ndim)
            yield mask[box] == value, label[box] == value, mask.shape
    else:
        for one, other in zip(mask, label, strict=True):
            box = _union((find_objects(one, 1)[0], find_objects(other, 1)[0]), one.ndim)
            yield one[box].astype(bool), other[box].astype(bool), one.shape


def _union(boxes: Iterable[tuple[slice, ...] | None], ndim: int) -> tuple[slice, ...]:
    """Return the smallest box around some boxes; an empty box if there are none."""
    found = [box for box in boxes if box is not None]
    if not found:
        return (slice(0, 0),) * ndim
    return tuple(slice(min(s.start for s in axis), max(s.stop for s in axis)) for axis in zip(*found, strict=True))
