"""Random parameters of the preset "full" for one sample. No image is changed here.

Probabilities and ranges are those of nnU-Net v2's default trainer (nnUNetTrainer of nnunetv2 2.8.1 with
batchgeneratorsv2 0.3.6). They were read there, and the code was written independently. `docs/augmentation.md` lists the
differences and their reasons.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

TURN, SIZE, BEND = 0.2, 0.2, 0.1
"""Probability of a rotation, of a scaling, and (preset "elastic") of an elastic deformation."""

SCALES = (0.7, 1.4)
"""Range of the scaling from output to input; 1.4 makes objects smaller."""

NOISE, BLUR, BRIGHTNESS, CONTRAST, LOW_RESOLUTION, INVERTED_GAMMA, GAMMA = 0.1, 0.2, 0.15, 0.15, 0.25, 0.1, 0.3
"""Probability of each change of intensity per sample."""

OF_CHANNEL = 0.5
"""Probability that blur or low resolution applies to a given channel; the other changes apply to all channels."""

SIGMAS, DEVIATIONS, FACTORS, SHRINKS, EXPONENTS = (0.5, 1.0), (0.0, 0.1), (0.75, 1.25), (0.5, 1.0), (0.7, 1.5)
"""Ranges: blur in voxels, noise, brightness and contrast, low resolution, gamma."""

FLIP = 0.5
"""Probability of a mirror along each allowed axis."""

ANISOTROPIC, ELONGATED = 3, 1.5
"""Ratio of the longest to the shortest side above which a 3-D patch is only rotated within its slices, and the one
above which a 2-D patch is only rotated by small angles."""

CONTROL, BENDS = 4, (0.0, 0.3)
"""Elastic deformation: control points per edge (two more are beyond each end), and the range of the largest shift, in
distances between control points.

Below 0.4 in 3-D and 0.48 in 2-D a cubic B-spline cannot fold (Choi and Lee, Graphical Models 62, 2000).
"""

_CROP = 0.85  # nnU-Net computes the margin for this scale, although it draws scales down to 1 / 1.4


class AugmentParams(NamedTuple):
    """Augmentation parameters of one sample with C channels and D axes.

    Attributes:
        matrix: [D, D], from output to input in voxels about the centre. None: no rotation and no scaling.
        control: [D, *points], shifts of the elastic control points in voxels. None: no elastic deformation.
        flips: Axes along which the sample is mirrored.
        noise: Standard deviation of the noise (0: no noise), and its seed.
        blur: [C, D], standard deviations in voxels (0: no blur).
        brightness: [C], factors.
        contrast: [C], factors about the mean.
        shrink: [C], share of the resolution that is kept along the axes in `planes` (1: all).
        inverted: [C], exponents of the gamma of the inverted image.
        gamma: [C], exponents.
        planes: Axes that rotation, scaling and low resolution change.
    """

    matrix: Floats | None
    control: Floats | None
    flips: tuple[int, ...]
    noise: tuple[float, int]
    blur: Floats
    brightness: Floats
    contrast: Floats
    shrink: Floats
    inverted: Floats
    gamma: Floats
    planes: tuple[int, ...]


def draw_params(
    rng: np.random.Generator,
    channels: int,
    patch: Sequence[int],
    spacing: Sequence[float],
    flips: Sequence[int],
    *,
    has_report: bool = False,
    elastic: bool = False,
) -> AugmentParams:
    """Draw the parameters of one sample.

    Args:
        rng: Random generator of this draw.
        channels: Number of image channels.
        patch: Size of the image in the result.
        spacing: Voxel size; a rotation preserves angles in mm.
        flips: Axes along which the sample may be mirrored.
        has_report: Whether the sample has a report. Then angles are small, because a large rotation makes "left" and
            "upper" wrong.
        elastic: Whether an elastic deformation may be drawn.
    """
    planes, angle = changed_axes(patch), largest_angle(patch, has_report)
    matrix = _matrix(rng, planes, angle, spacing)
    control = _control(rng, patch, planes) if elastic and rng.random() < BEND else None
    mirrored = tuple(axis for axis in flips if rng.random() < FLIP)
    noise = rng.uniform(*DEVIATIONS) if rng.random() < NOISE else 0.0
    ones = np.ones(channels)
    return AugmentParams(
        matrix,
        control,
        mirrored,
        (noise, int(rng.integers(2**63))),
        _blur(rng, channels, len(patch)),
        _each(rng, BRIGHTNESS, FACTORS, ones),
        _each(rng, CONTRAST, FACTORS, ones),
        _shrink(rng, channels),
        _each(rng, INVERTED_GAMMA, EXPONENTS, ones),
        _each(rng, GAMMA, EXPONENTS, ones),
        planes,
    )


def changed_axes(patch: Sequence[int]) -> tuple[int, ...]:
    """Return the axes that are rotated and scaled: all, or those within a slice for a patch of a few thick slices."""
    axes = tuple(range(len(patch)))
    if len(patch) == 2 or max(patch) / min(patch) <= ANISOTROPIC:
        return axes
    through = int(np.argmin(patch))
    return tuple(axis for axis in axes if axis != through)


def largest_angle(patch: Sequence[int], has_report: bool) -> float:
    """Return the largest rotation in each plane, in radians."""
    if len(patch) == 3 and len(changed_axes(patch)) == 3:
        return math.radians(30)
    if has_report or (len(patch) == 2 and max(patch) / min(patch) > ELONGATED):
        return math.radians(15)
    return math.pi


def compute_margin(patch: Sequence[int]) -> tuple[int, ...]:
    """Return how much wider a patch is cut on each side, in voxels, by nnU-Net's rule.

    Two-dimensional images are resized to the patch, so that they have no margin.
    """
    if len(patch) == 2:
        return (0, 0)
    planes = changed_axes(patch)
    angle = min(largest_angle(patch, False), math.pi / 2)
    wide = [float(n) for n in patch]
    for one, other in combinations(planes, 2):
        for a, b in ((one, other), (other, one)):
            wide[a] = max(wide[a], patch[a] * math.cos(angle) + patch[b] * math.sin(angle))
    return tuple(math.ceil((int(wide[axis] / _CROP) - n) / 2) if axis in planes else 0 for axis, n in enumerate(patch))


def _matrix(rng: np.random.Generator, planes: Sequence[int], largest: float, spacing: Sequence[float]) -> Floats | None:
    turns, grows = rng.random() < TURN, rng.random() < SIZE
    if not turns and not grows:
        return None
    matrix = np.eye(len(spacing))
    if turns:
        for one, other in combinations(planes, 2):
            angle = rng.uniform(-largest, largest)
            turn = np.eye(len(spacing))
            turn[[one, other], [one, other]] = math.cos(angle)
            turn[one, other], turn[other, one] = -math.sin(angle), math.sin(angle)
            matrix = matrix @ turn
    if grows:
        matrix[:, list(planes)] *= rng.uniform(*SCALES)
    mm = np.asarray(spacing, dtype=np.float64)
    return np.asarray(matrix * mm[None, :] / mm[:, None])


def _control(rng: np.random.Generator, patch: Sequence[int], planes: Sequence[int]) -> Floats:
    control = rng.uniform(-1, 1, (len(patch), *[CONTROL + 2] * len(patch))) * rng.uniform(*BENDS)
    apart = [n / (CONTROL - 1) if axis in planes else 0.0 for axis, n in enumerate(patch)]
    return np.asarray(control * np.array(apart).reshape(-1, *[1] * len(patch)))


def _factor(rng: np.random.Generator, limits: tuple[float, float]) -> float:
    """Draw a factor: below and above 1 with equal probability, uniform in both ranges."""
    return float(rng.uniform(limits[0], 1) if rng.random() < 0.5 else rng.uniform(1, limits[1]))


def _each(rng: np.random.Generator, chance: float, limits: tuple[float, float], neutral: Floats) -> Floats:
    """Draw one factor per channel, or return the neutral factors."""
    return np.array([_factor(rng, limits) for _ in neutral]) if rng.random() < chance else neutral


def _blur(rng: np.random.Generator, channels: int, dims: int) -> Floats:
    if rng.random() >= BLUR:
        return np.zeros((channels, dims))
    chosen = rng.random(channels) < OF_CHANNEL
    return np.asarray(rng.uniform(*SIGMAS, (channels, dims)) * chosen[:, None])


def _shrink(rng: np.random.Generator, channels: int) -> Floats:
    if rng.random() >= LOW_RESOLUTION:
        return np.ones(channels)
    return np.where(rng.random(channels) < OF_CHANNEL, rng.uniform(*SHRINKS, channels), 1.0)
