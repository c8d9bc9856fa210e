"""The foreground voxels of a case, listed once so that a training patch can be centred on one of them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

PER_CLASS = 10_000
"""Largest number of foreground voxels that are listed per class."""


def list_foreground(label: NDArray[np.uint8], exclusive: bool, classes: int) -> NDArray[np.int32]:
    """List the voxels of each class; of more than `PER_CLASS` voxels, a fixed random choice is listed.

    Args:
        label: uint8 [1, *S] or [K, *S], as `PreparedCase.label`.
        exclusive: True: `label` contains class numbers. False: it contains one mask per class.
        classes: The number of classes K.

    Returns:
        int32 [n, 1 + D], one row (class number from 0, voxel) per listed voxel.
    """
    rows = []
    for number in range(classes):
        mask = label[0] == number + 1 if exclusive else label[number] == 1
        found = np.flatnonzero(mask)
        if len(found) > PER_CLASS:
            chosen = np.random.default_rng(number).choice(len(found), PER_CLASS, replace=False)
            found = found[np.sort(chosen)]
        voxels = np.unravel_index(found, mask.shape)
        rows.append(np.stack([np.full_like(found, number), *voxels], axis=1))
    return np.concatenate(rows).astype(np.int32)
