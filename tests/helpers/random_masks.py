"""Random label maps of every kind: islands, single voxels, boxes that touch, full and empty classes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from zoo.types import LabelSpace

Maps = tuple[NDArray[np.uint8], NDArray[np.uint8]]


def draw_label_space(rng: np.random.Generator) -> LabelSpace:
    """Draw one to four exclusive classes."""
    names = tuple(f"class {n}" for n in range(1, int(rng.integers(2, 6))))
    return LabelSpace(names, tuple((n,) for n in range(1, len(names) + 1)))


def draw_spacing(rng: np.random.Generator, axes: int) -> tuple[float, ...]:
    """Draw the size of a voxel: equal on all axes, unequal, or far from equal."""
    kind = rng.integers(0, 3)
    if kind == 0:
        return (float(rng.choice([0.5, 1.0, 1.7])),) * axes
    if kind == 1:
        return tuple(rng.uniform(0.3, 4.0, axes).tolist())
    return tuple((10.0 ** rng.uniform(-2, 2, axes)).tolist())


def draw_map(rng: np.random.Generator, shape: tuple[int, ...], classes: int) -> NDArray[np.uint8]:
    """Draw a label map; a class may be absent, one voxel, noise, a box, or everything."""
    found = np.zeros(shape, np.uint8)
    for value in range(1, classes + 1):
        kind = rng.integers(0, 12)
        if kind == 0:
            found[:] = value
        elif kind < 3:
            found[tuple(rng.integers(0, n) for n in shape)] = value
        elif kind < 6:
            found[rng.random(shape) < rng.choice([0.003, 0.1, 0.5])] = value
        elif kind < 11:
            found[tuple(slice(low, low + rng.integers(1, 20)) for low in (rng.integers(0, n) for n in shape))] = value
    return found


def draw_pair(rng: np.random.Generator, shape: tuple[int, ...], classes: int) -> Maps:
    """Draw a prediction and its label; the prediction may be the label with false voxels."""
    truth = draw_map(rng, shape, classes)
    if rng.random() < 0.5:
        return draw_map(rng, shape, classes), truth
    prediction = np.roll(truth, int(rng.integers(0, 4)), axis=int(rng.integers(0, len(shape))))
    wrong = rng.random(shape) < 0.02
    prediction[wrong] = rng.integers(0, classes + 1, int(wrong.sum()))
    return prediction, truth
