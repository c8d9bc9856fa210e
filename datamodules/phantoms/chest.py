"""Generator of `phantom_chest`: similar lesions, of which the report names those to segment.

A case has 2, 3 or 4 lesions in different zones, all with the same distribution of size and intensity. The lesions in
the report are a non-empty proper subset, drawn uniformly and independently of the image. Therefore the image alone does
not show which lesions to segment. Left and right are those of the image.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import compress, product
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from datamodules.phantoms.random_fields import Floats, pixel_centres, random_stream, smooth_field

SIDES = ("left", "right")
LEVELS = ("upper", "middle", "lower")
ZONES = tuple(f"{side} {level} zone" for side, level in product(SIDES, LEVELS))
"""The six zones, in the order of the report."""

_SIDE_AT = {"left": 0.28, "right": 0.72}  # column of the centre of a lung; the image has width and height 1
_LEVEL_AT = {"upper": 0.22, "middle": 0.50, "lower": 0.78}
_RADIUS = 0.07
_WANDER = (0.06, 0.06)  # largest distance of a lesion from the centre of its zone (rows, columns)
_CONTRAST = 0.50  # brighter than every other part of the chest
_NOISE = 0.03


class ChestCase(NamedTuple):
    """A generated case.

    Attributes:
        image: float32 [H, W], grey values from 0 to 1 in steps of 1/255.
        lesions: bool [n, H, W], one mask per lesion, in the order of `zones`; they do not overlap.
        zones: n of the `ZONES`, in their order.
        in_report: Per lesion, whether the report names it.
    """

    image: NDArray[np.float32]
    lesions: NDArray[np.bool_]
    zones: tuple[str, ...]
    in_report: tuple[bool, ...]

    @property
    def report(self) -> str:
        """The report: one sentence."""
        return write_report(self.zones, self.in_report)

    @property
    def label(self) -> NDArray[np.uint8]:
        """Mask of the lesions in the report: uint8 [H, W] of 0 and 1."""
        mask: NDArray[np.uint8] = self.lesions[np.asarray(self.in_report)].any(axis=0).astype(np.uint8)
        return mask


def draw_chest(seed: int, split: str, index: int, size: int = 64) -> ChestCase:
    """Draw a case.

    Args:
        seed: Seed of the data set, not of a run.
        split: "train", "val" or "test".
        index: Number of the case in its split.
        size: Height and width in pixels. All lengths are fractions of the image. Except for its noise, a case looks
            the same at every size.
    """
    rng = random_stream(seed, split, index)
    zones, in_report = _draw_plan(rng)
    shift = rng.uniform(-0.015, 0.015, size=2)
    depths = np.stack([_lesion_depth(rng, zone, shift, size) for zone in zones])
    scene = _thorax(rng, shift, size) + (_CONTRAST * _soft(depths, 0.06)).sum(axis=0)
    noisy = scene + _NOISE * rng.standard_normal((size, size))
    image = (np.rint(noisy.clip(0, 1) * 255) / 255).astype(np.float32)
    return ChestCase(image, depths > 0, zones, in_report)


def draw_report(seed: int, split: str, index: int, complement: bool = False) -> str:
    """Draw the report of `draw_chest(seed, split, index)`, or the complementary report, without the pixels."""
    zones, in_report = _draw_plan(random_stream(seed, split, index))
    return write_report(zones, [flag != complement for flag in in_report])


def complement_report(case: ChestCase) -> ChestCase:
    """Return the same image with the complementary report, which names the other lesions.

    The complement of a uniformly drawn proper subset has the same distribution. A model cannot memorise the masks of an
    image with both reports; it must read them.
    """
    return case._replace(in_report=tuple(not flag for flag in case.in_report))


def write_report(zones: Sequence[str], in_report: Sequence[bool]) -> str:
    """Write the report that names some of `zones`; its grammatical form does not depend on their number."""
    return f"Target lesions in {' and '.join(f'the {zone}' for zone in compress(zones, in_report))}."


def list_subsets(count: int) -> NDArray[np.bool_]:
    """List all non-empty proper subsets of `count` elements: bool [2**count - 2, count]."""
    return np.array(list(product((False, True), repeat=count))[1:-1])


def expected_dice(areas: Sequence[int], choice: Sequence[bool]) -> float:
    """Compute the expected Dice if exactly the chosen lesions are segmented, without the report.

    The mean is over the posterior given the image: all non-empty proper subsets with equal probability.

    Args:
        areas: Number of pixels per lesion.
        choice: Per lesion, whether it is segmented.
    """
    sizes, chosen = np.asarray(areas, np.float64), np.asarray(choice)
    truths = list_subsets(len(sizes))
    shared = (sizes * (truths & chosen)).sum(axis=1)
    return float(np.mean(2 * shared / ((sizes * chosen).sum() + (sizes * truths).sum(axis=1))))


def find_best_choice(areas: Sequence[int]) -> tuple[float, tuple[bool, ...]]:
    """Find the choice of lesions with the largest expected Dice without the report; return the Dice and the choice."""
    choices = product((False, True), repeat=len(areas))
    return max((expected_dice(areas, choice), choice) for choice in choices)


def text_free_bound(cases: Iterable[ChestCase]) -> float:
    """Compute the largest expected Dice per image that any choice of lesions can have without the text.

    It is enumerated per case from the distribution and the true areas. The result is the mean over the cases.
    """
    return float(np.mean([find_best_choice([int(lesion.sum()) for lesion in case.lesions])[0] for case in cases]))


def _draw_plan(rng: np.random.Generator) -> tuple[tuple[str, ...], tuple[bool, ...]]:
    """Draw the zones with a lesion, and which of them are in the report."""
    numbers = np.sort(rng.choice(len(ZONES), size=int(rng.integers(2, 5)), replace=False))
    table = list_subsets(len(numbers))
    in_report = table[rng.integers(len(table))]
    return tuple(ZONES[number] for number in numbers), tuple(bool(flag) for flag in in_report)


def _soft(depth: Floats, width: float) -> Floats:
    """A logistic curve: 1 inside, 0 outside, with an edge of about `width` around depth 0."""
    return 0.5 * (1 + np.tanh(depth / (2 * width)))


def _ellipse(size: int, centre: tuple[float, float], radii: tuple[float, float], angle: float = 0.0) -> Floats:
    """The depth of each pixel in an ellipse: 1 at the centre, 0 on the border, negative outside."""
    row, column = pixel_centres(size)[:, None] - centre[0], pixel_centres(size)[None, :] - centre[1]
    along = row * np.cos(angle) + column * np.sin(angle)
    across = column * np.cos(angle) - row * np.sin(angle)
    depth: Floats = 1 - np.sqrt((along / radii[0]) ** 2 + (across / radii[1]) ** 2)
    return depth


def _lesion_depth(rng: np.random.Generator, zone: str, shift: Floats, size: int) -> Floats:
    """Draw a nearly round lesion around the centre of its zone, as depths."""
    side, level, _ = zone.split()
    wander = rng.uniform(-1, 1, size=2) * _WANDER
    radius = _RADIUS * rng.uniform(0.96, 1.04)
    stretch = rng.uniform(0.94, 1.06)
    centre = (_LEVEL_AT[level] + shift[0] + wander[0], _SIDE_AT[side] + shift[1] + wander[1])
    return _ellipse(size, centre, (radius * stretch, radius / stretch), float(rng.uniform(0, np.pi)))


def _thorax(rng: np.random.Generator, shift: Floats, size: int) -> Floats:
    """Draw body, two lungs, ribs, a heart shadow on the right of the image, and smooth texture: float64 [H, W]."""
    top, aside = float(shift[0]), float(shift[1])
    rows, columns = pixel_centres(size)[:, None] - top, pixel_centres(size)[None, :] - aside
    width = 0.135 + 0.055 * _soft(rows - 0.35, 0.08)  # lungs are narrow at the apex
    scene = 0.42 + 0.04 * smooth_field(rng, (size, size), (5, 5))
    for at in _SIDE_AT.values():
        depth = 1 - np.sqrt(((rows - 0.5) / 0.44) ** 4 + ((columns - at) / width) ** 2)
        scene = scene - 0.27 * _soft(depth, 0.04)
    heart = _ellipse(size, (0.70 + top, 0.54 + aside), (0.17 * rng.uniform(0.9, 1.1), 0.10 * rng.uniform(0.9, 1.1)))
    phase = rng.uniform(0, 2 * np.pi)
    ribs = np.sin(2 * np.pi * (9 * rows + 5 * (columns - 0.5) ** 2) + phase)
    texture = smooth_field(rng, (size, size), (12, 12))
    darker = scene + 0.14 * _soft(heart, 0.06) + 0.02 * ribs + 0.02 * texture
    return np.asarray(darker, dtype=np.float64)
