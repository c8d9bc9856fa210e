"""What the preset "full" draws for one sample: numbers only, no image is touched here.

Probabilities and ranges are those of nnU-Net v2's default trainer (nnUNetTrainer of nnunetv2 2.8.1 with
batchgeneratorsv2 0.3.6), read there and written anew; `docs/augmentation.md` says where we differ and why.
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
"""Of a scaling: from output to input, so that 1.4 makes objects smaller."""

NOISE, BLUR, BRIGHTNESS, CONTRAST, LOW_RESOLUTION, INVERTED_GAMMA, GAMMA = 0.1, 0.2, 0.15, 0.15, 0.25, 0.1, 0.3
"""Probability of each change of intensity, for a sample."""

OF_CHANNEL = 0.5
"""Probability that a sample's blur or low resolution takes in a given channel; the others take in all."""

SIGMAS, DEVIATIONS, FACTORS, SHRINKS, EXPONENTS = (0.5, 1.0), (0.0, 0.1), (0.75, 1.25), (0.5, 1.0), (0.7, 1.5)
"""Ranges: blur in voxels, noise, brightness and contrast, low resolution, gamma."""

FLIP = 0.5
"""Probability of a mirror along each allowed axis."""

ANISOTROPIC, ELONGATED = 3, 1.5
"""Longest over shortest side above which a 3-D patch is turned within its slices alone, and a 2-D one little."""

CONTROL, BENDS = 4, (0.0, 0.3)
"""Elastic: control points an edge (two more lie beyond each end), largest shift in distances between points.

Below 0.4 in 3-D and 0.48 in 2-D a cubic B-spline cannot fold (Choi and Lee, Graphical Models 62, 2000).
"""

_CROP = 0.85  # nnU-Net cuts for this scale, though it draws down to 1 / 1.4


class Draw(NamedTuple):
    """What one sample of C channels and D axes goes through.

    Attributes:
        matrix: [D, D] from output to input, in voxels about the centre, or None where nothing turns or grows.
        control: [D, *points] shifts of the elastic control points in voxels, or None.
        flips: The axes mirrored along.
        noise: Standard deviation, 0 for none, and the seed of the noise.
        blur: [C, D] standard deviations in voxels, 0 for none.
        brightness: [C] factors.
        contrast: [C] factors about the mean.
        shrink: [C] resolution kept, 1 for all, along the axes in `planes`.
        inverted: [C] exponents of the gamma of the negative.
        gamma: [C] exponents.
        planes: The axes that a low resolution touches.
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


def draw_full(
    rng: np.random.Generator,
    channels: int,
    patch: Sequence[int],
    spacing: Sequence[float],
    flips: Sequence[int],
    *,
    told: bool = False,
    bend: bool = False,
) -> Draw:
    """Draw what one sample goes through.

    Args:
        rng: The draw's generator.
        channels: Of the image.
        patch: Size that comes out.
        spacing: Of the voxels: a rotation keeps angles in mm.
        flips: Axes that may be mirrored along.
        told: Whether a report goes with the image; "left" and "upper" do not survive a large turn.
        bend: Whether elastic deformation may be drawn.
    """
    planes, angle = planes_of(patch), angle_of(patch, told)
    matrix = _matrix(rng, planes, angle, spacing)
    control = _control(rng, patch, planes) if bend and rng.random() < BEND else None
    mirrored = tuple(axis for axis in flips if rng.random() < FLIP)
    noise = rng.uniform(*DEVIATIONS) if rng.random() < NOISE else 0.0
    some = np.ones(channels)
    return Draw(
        matrix,
        control,
        mirrored,
        (noise, int(rng.integers(2**63))),
        _blur(rng, channels, len(patch)),
        _each(rng, BRIGHTNESS, FACTORS, some),
        _each(rng, CONTRAST, FACTORS, some),
        _shrink(rng, channels),
        _each(rng, INVERTED_GAMMA, EXPONENTS, some),
        _each(rng, GAMMA, EXPONENTS, some),
        planes,
    )


def planes_of(patch: Sequence[int]) -> tuple[int, ...]:
    """The axes that turn and grow: all, or those within a slice where a patch is a few thick slices."""
    axes = tuple(range(len(patch)))
    if len(patch) == 2 or max(patch) / min(patch) <= ANISOTROPIC:
        return axes
    through = int(np.argmin(patch))
    return tuple(axis for axis in axes if axis != through)


def angle_of(patch: Sequence[int], told: bool) -> float:
    """Largest rotation in each plane, in radians."""
    if len(patch) == 3 and len(planes_of(patch)) == 3:
        return math.radians(30)
    if told or (len(patch) == 2 and max(patch) / min(patch) > ELONGATED):
        return math.radians(15)
    return math.pi


def margin_of(patch: Sequence[int]) -> tuple[int, ...]:
    """How much wider on each side a patch is cut; nnU-Net's rule, the same for both axes of a plane.

    Two-dimensional images are resized to the patch: there is nothing beyond it to cut.
    """
    if len(patch) == 2:
        return (0, 0)
    planes = planes_of(patch)
    angle = min(angle_of(patch, False), math.pi / 2)
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
    """Below and above 1 equally often, evenly within each."""
    return float(rng.uniform(limits[0], 1) if rng.random() < 0.5 else rng.uniform(1, limits[1]))


def _each(rng: np.random.Generator, chance: float, limits: tuple[float, float], neutral: Floats) -> Floats:
    """A factor a channel, or all neutral."""
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
