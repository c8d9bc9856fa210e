"""Random streams and random fields that depend only on (seed, split, index).

This module does not call BLAS and has no state. Therefore the number of threads, the process and the order of the cases
cannot change a pixel.
"""

from __future__ import annotations

from zlib import crc32

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import zoom

Floats = NDArray[np.float64]


def random_stream(seed: int, split: str, index: int) -> np.random.Generator:
    """Return the random stream of one case.

    Args:
        seed: Seed of the data set.
        split: "train", "val" or "test".
        index: Number of the case in its split, from 0.
    """
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, crc32(split.encode()), index])))


def smooth_field(rng: np.random.Generator, shape: tuple[int, ...], knots: tuple[int, ...]) -> Floats:
    """Draw a smooth random field: cubic splines through standard normal knots.

    Args:
        rng: The random stream.
        shape: Shape of the field.
        knots: Number of knots per axis. The same knots give the same field at every resolution.
    """
    coarse = rng.standard_normal(knots)
    factors = [size / count for size, count in zip(shape, knots, strict=True)]
    field: Floats = zoom(coarse, factors, order=3, mode="nearest", grid_mode=True)
    return field


def pixel_centres(size: int) -> Floats:
    """Return the positions of `size` pixel centres in the interval from 0 to 1."""
    return (np.arange(size) + 0.5) / size
