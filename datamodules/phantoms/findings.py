"""Generator of `phantom_findings`: a chest volume with several findings, each with a sentence of its own.

A finding is one nodule, or two nodules of one size in one zone. Its sentence names number, size, side and zone. All
nodules have the same distribution of intensity, so that the image alone does not show which finding is asked for. Some
sentences name a finding that the volume does not have. Of some findings with two nodules, only one is labelled, as in
data sets whose training labels are examples. The axes are RAS: the first points to the right of the patient, the second
to the front, the third to the head.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from datamodules.phantoms.random_fields import Floats, pixel_centres, random_stream, smooth_field

SIDES, LEVELS = ("left", "right"), ("upper", "middle", "lower")
SIZES = {"small": 0.065, "large": 0.11}
"""Radius of a nodule as a share of the volume's width."""

EXTENT = 96.0
"""Edge length of the volume in mm."""

_SIDE_AT = {"left": 0.27, "right": 0.73}  # the volume has the edge length 1
_LEVEL_AT = {"lower": 0.22, "middle": 0.50, "upper": 0.78}
_DEPTH_AT = (0.34, 0.66)  # of the two nodules that a zone can have, behind and in front
_WANDER = 0.03
_ABSENT = 0.2  # share of the volumes with a sentence about a finding that is not there
_PAIRS = 0.35  # share of the findings with two nodules, where the zone has room
_PARTIAL = 0.5  # share of the training findings with two nodules of which one is labelled
_LUNG, _CONTRAST, _NOISE = 0.2, 0.5, 0.04


class Finding(NamedTuple):
    """One finding, which is one query of its volume.

    Attributes:
        side: One of `SIDES`, of the patient.
        level: One of `LEVELS`.
        size: One of `SIZES`.
        nodules: Number of nodules that the sentence names.
        present: Whether the volume has the finding.
        shown: Number of nodules that the label has.
    """

    side: str
    level: str
    size: str
    nodules: int = 1
    present: bool = True
    shown: int = 1

    @property
    def sentence(self) -> str:
        """The text of the query."""
        what = f"A {self.size} nodule" if self.nodules == 1 else f"Two {self.size} nodules"
        return f"{what} in the {self.side} {self.level} zone."

    @property
    def partial(self) -> bool:
        """Whether the label lacks a nodule, so that a voxel without label is not known to be background."""
        return self.present and self.shown < self.nodules


class FindingsCase(NamedTuple):
    """A generated volume.

    Attributes:
        image: float32 [X, Y, Z], from 0 to 1 apart from noise.
        findings: The F findings.
        nodules: Per finding, bool [n, X, Y, Z], one mask per nodule; no two nodules overlap.
    """

    image: NDArray[np.float32]
    findings: tuple[Finding, ...]
    nodules: tuple[NDArray[np.bool_], ...]

    def mask(self, index: int) -> NDArray[np.bool_]:
        """All nodules of a finding, bool [X, Y, Z], also those that are not labelled."""
        return np.asarray(self.nodules[index].any(axis=0))

    def labelled(self, index: int) -> NDArray[np.bool_]:
        """The labelled nodules of a finding, bool [X, Y, Z]."""
        return np.asarray(self.nodules[index][: self.findings[index].shown].any(axis=0))


def draw_findings(seed: int, split: str, index: int, shape: tuple[int, int, int] = (48, 48, 32)) -> FindingsCase:
    """Draw a volume.

    Args:
        seed: Seed of the data set, not of a run.
        split: "train", "val" or "test". Only training labels lack nodules.
        index: Number of the volume in its split.
        shape: Number of voxels per axis. Except for its noise, a volume looks the same at every shape.
    """
    rng = random_stream(seed, split, index)
    plan = _draw_plan(rng, split)
    axes = tuple(pixel_centres(size) for size in shape)
    image, nodules = _thorax(rng, axes), []
    for finding, slots in plan:
        masks = np.stack([_nodule(rng, finding, slot, axes) for slot in slots])
        if not finding.present:
            masks[:] = False
        image = np.where(masks.any(axis=0), _LUNG + _CONTRAST * rng.uniform(0.9, 1.1), image)
        nodules.append(masks)
    image = image + _NOISE * rng.standard_normal(shape)
    return FindingsCase(image.astype(np.float32), tuple(finding for finding, _ in plan), tuple(nodules))


def list_findings(seed: int, split: str, index: int) -> tuple[Finding, ...]:
    """List the findings of `draw_findings(seed, split, index)` without the voxels."""
    return tuple(finding for finding, _ in _draw_plan(random_stream(seed, split, index), split))


def _draw_plan(rng: np.random.Generator, split: str) -> list[tuple[Finding, tuple[int, ...]]]:
    """Draw two to five findings, and the places of their nodules in their zones."""
    places = list(product(SIDES, LEVELS, SIZES))
    order = [places[number] for number in rng.permutation(len(places))]
    free = {(side, level): list(rng.permutation(len(_DEPTH_AT))) for side, level in product(SIDES, LEVELS)}
    count, plan = int(rng.integers(2, 6)), list[tuple[Finding, tuple[int, ...]]]()
    for side, level, size in order:
        room = free[side, level]
        pair = len(room) == 2 and rng.uniform() < _PAIRS
        partial = pair and split == "train" and rng.uniform() < _PARTIAL
        if room and len(plan) < count:
            slots = tuple(int(room.pop()) for _ in range(1 + pair))
            plan.append((Finding(side, level, size, len(slots), shown=len(slots) - partial), slots))
    if rng.uniform() < _ABSENT:
        named = {(finding.side, finding.level, finding.size) for finding, _ in plan}
        absent = next(place for place in order if place not in named)
        side, level, size = absent
        plan.append((Finding(side, level, size, present=False), (0,)))
    return plan


def _nodule(rng: np.random.Generator, finding: Finding, slot: int, axes: Sequence[Floats]) -> NDArray[np.bool_]:
    """Draw the voxels of a nearly round nodule around its place: bool [X, Y, Z]."""
    place = np.array([_SIDE_AT[finding.side], _DEPTH_AT[slot], _LEVEL_AT[finding.level]])
    centre = place + rng.uniform(-_WANDER, _WANDER, size=3)
    radii = SIZES[finding.size] * rng.uniform(0.93, 1.07, size=3)
    offsets = np.ix_(*((axis - at) / radius for axis, at, radius in zip(axes, centre, radii, strict=True)))
    return np.asarray(sum(offset**2 for offset in offsets) < 1)


def _thorax(rng: np.random.Generator, axes: Sequence[Floats]) -> Floats:
    """Draw body and two lungs with smooth texture: float64 [X, Y, Z]."""
    across, front, head = np.ix_(*axes)
    body = np.hypot((across - 0.5) / 0.49, (front - 0.5) / 0.47)
    image = np.where(body < 1, 0.55, 0.0) + 0.0 * head
    for at in _SIDE_AT.values():
        lung = ((across - at) / 0.2) ** 4 + ((front - 0.5) / 0.36) ** 4 + ((head - 0.5) / 0.47) ** 4
        image = np.where(lung < 1, _LUNG, image)
    shape = tuple(len(axis) for axis in axes)
    return np.asarray(image + 0.02 * smooth_field(rng, shape, (6, 6, 6)), dtype=np.float64)
