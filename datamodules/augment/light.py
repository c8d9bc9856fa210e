"""The preset "light": small rotation and scaling, change of contrast and brightness, noise, and allowed flips.

Published results were measured with this preset, so it must not change. An image is only mirrored along the axes that
the card allows, because a mirror makes "left lung" wrong.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from datamodules.loading.samplers import generator
from zoo.text.laterality import AXIS, follow_mirror
from zoo.types import Batch

ANGLE = math.radians(15)
"""Largest rotation about each axis."""

SCALE = 0.15
"""Largest relative change of size."""

INTENSITY = 0.1
"""Largest relative change of contrast, and largest shift in units of the normalised image."""

NOISE = 0.1
"""Largest standard deviation of the added noise."""

_STREAM = 1  # number of the random stream: 0 chooses the patch


def augment_light(batch: Batch, seed: int, flips: Sequence[int] = ()) -> Batch:
    """Augment a training batch.

    Args:
        batch: A batch with `draw`. Images are resampled linearly, labels by the nearest voxel; outside, both are 0.
        seed: Seed of the random parameters.
        flips: Spatial axes (0 is the first) along which an image may be mirrored.

    Returns:
        The batch with new images and labels. In the report of a sample that was mirrored along the left-right axis,
        left and right are exchanged. Nothing else changes.
    """
    image = batch["image"]
    dims = image.ndim - 2
    rngs = [generator(seed, draw, _STREAM) for draw in batch["draw"]]
    extent = (np.array(image.shape[2:]) * batch["spacing"].cpu().numpy())[:, ::-1]  # grid_sample has x first
    theta = np.stack([_affine(rng, size, dims, flips) for rng, size in zip(rngs, extent, strict=True)])
    grid = F.affine_grid(torch.from_numpy(theta).to(image), list(image.shape), align_corners=False)
    image = F.grid_sample(image, grid, align_corners=False)
    image = _intensity(image, rngs)
    out = Batch(**{**batch, "image": image})
    if "label" in batch:
        label = F.grid_sample(batch["label"].to(grid.dtype), grid, mode="nearest", align_corners=False)
        out["label"] = label.to(torch.uint8)
    left_right = dims - 1 - AXIS[dims]  # only a mirror changes the sign of this entry; the rotations are too small
    return follow_mirror(out, (theta[:, left_right, left_right] < 0).tolist())


def _affine(rng: np.random.Generator, extent: np.ndarray, dims: int, flips: Sequence[int]) -> np.ndarray:
    """The matrix [D, D + 1] from normalised output to input coordinates: rotation and scaling in physical space."""
    matrix = np.eye(dims)
    for first in range(dims):
        for second in range(first + 1, dims):
            angle = rng.uniform(-ANGLE, ANGLE)
            turn = np.eye(dims)
            turn[[first, second], [first, second]] = math.cos(angle)
            turn[first, second], turn[second, first] = -math.sin(angle), math.sin(angle)
            matrix = matrix @ turn
    matrix *= rng.uniform(1 - SCALE, 1 + SCALE)
    matrix = matrix * extent[None, :] / extent[:, None]
    for axis in flips:
        if rng.random() < 0.5:
            matrix[:, dims - 1 - axis] *= -1
    return np.concatenate([matrix, np.zeros((dims, 1))], axis=1)


def _intensity(image: Tensor, rngs: Sequence[np.random.Generator]) -> Tensor:
    draws = np.array([[*rng.uniform(-INTENSITY, INTENSITY, 2), rng.uniform(0, NOISE)] for rng in rngs])
    shape = (len(rngs), *([1] * (image.ndim - 1)))
    scale, shift, sigma = (torch.from_numpy(column.copy()).to(image).view(shape) for column in draws.T)
    noise = torch.empty_like(image)
    for sample, rng in zip(noise, rngs, strict=True):
        source = torch.Generator(image.device).manual_seed(int(rng.integers(2**63)))
        sample.normal_(generator=source)
    return image * (1 + scale) + shift + sigma * noise
