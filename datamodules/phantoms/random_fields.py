"""Random streams and random fields that depend on nothing but (seed, split, index).

Nothing here calls BLAS or keeps state, so that neither the number of threads, nor the process, nor
the order in which cases are asked for can change a pixel.
"""

from __future__ import annotations

from zlib import crc32

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import zoom

Floats = NDArray[np.float64]


def stream(seed: int, split: str, index: int) -> np.random.Generator:
    """The random stream of one case.

    Args:
        seed: Of the whole data set.
        split: Name of the part the case is in.
        index: Number of the case in its part, from 0.
    """
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, crc32(split.encode()), index])))


def smooth_field(rng: np.random.Generator, shape: tuple[int, ...], knots: tuple[int, ...]) -> Floats:
    """A smooth random field of about unit size: cubic splines through standard normal knots.

    Args:
        rng: The stream to draw from.
        shape: Shape of the field.
        knots: Knots an axis; the same knots give the same field at every resolution.
    """
    coarse = rng.standard_normal(knots)
    factors = [size / count for size, count in zip(shape, knots, strict=True)]
    field: Floats = zoom(coarse, factors, order=3, mode="nearest", grid_mode=True)
    return field


def centres(size: int) -> Floats:
    """Positions of `size` pixel centres on the interval 0 to 1."""
    return (np.arange(size) + 0.5) / size
