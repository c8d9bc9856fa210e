"""The law of `phantom_chest`: look-alike lesions of which the report names those to segment.

A case has 2, 3 or 4 lesions in distinct zones, all of one law of size and intensity. The named ones
are a non-empty proper subset, drawn uniformly and independently of the image, so the image alone
cannot tell which lesions are meant. Left and right are those of the image.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import compress, product
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from datamodules.phantoms.random_fields import Floats, centres, smooth_field, stream

SIDES = ("left", "right")
LEVELS = ("upper", "middle", "lower")
ZONES = tuple(f"{side} {level} zone" for side, level in product(SIDES, LEVELS))
"""The six zones, in the order in which a report names them."""

_SIDE_AT = {"left": 0.28, "right": 0.72}  # column of a lung's middle; the image is 1 wide and 1 high
_LEVEL_AT = {"upper": 0.22, "middle": 0.50, "lower": 0.78}
_RADIUS = 0.07
_WANDER = (0.06, 0.06)  # a lesion's distance from its zone's middle, at most (rows, columns)
_CONTRAST = 0.50  # brighter than every other part of the chest
_NOISE = 0.03


class ChestCase(NamedTuple):
    """One drawn case.

    Attributes:
        image: float32 [H, W], grey values from 0 to 1 in steps of 1/255.
        lesions: bool [n, H, W], one mask a lesion, in the order of `zones`; they do not overlap.
        zones: n zones out of `ZONES`, in its order.
        named: For each lesion, whether the report names it.
    """

    image: NDArray[np.float32]
    lesions: NDArray[np.bool_]
    zones: tuple[str, ...]
    named: tuple[bool, ...]

    @property
    def report(self) -> str:
        """The report sentence."""
        return report_of(self.zones, self.named)

    @property
    def label(self) -> NDArray[np.uint8]:
        """What the report names: uint8 {0, 1} [H, W]."""
        mask: NDArray[np.uint8] = self.lesions[np.asarray(self.named)].any(axis=0).astype(np.uint8)
        return mask


def draw_chest(seed: int, split: str, index: int, size: int = 64) -> ChestCase:
    """One case of the law.

    Args:
        seed: Of the data set, not of a run.
        split: Name of the part the case is in.
        index: Number of the case in its part.
        size: Height and width in pixels. The law is one of fractions of the image, so a case looks
            the same at every size, apart from its pixel noise.
    """
    rng = stream(seed, split, index)
    zones, named = _plan(rng)
    shift = rng.uniform(-0.015, 0.015, size=2)
    depths = np.stack([_lesion_depth(rng, zone, shift, size) for zone in zones])
    scene = _thorax(rng, shift, size) + (_CONTRAST * _soft(depths, 0.06)).sum(axis=0)
    noisy = scene + _NOISE * rng.standard_normal((size, size))
    image = (np.rint(noisy.clip(0, 1) * 255) / 255).astype(np.float32)
    return ChestCase(image, depths > 0, zones, named)


def draw_report(seed: int, split: str, index: int, complement: bool = False) -> str:
    """The report of `draw_chest(seed, split, index)`, or of its `counterpart`, without the pixels."""
    zones, named = _plan(stream(seed, split, index))
    return report_of(zones, [flag != complement for flag in named])


def counterpart(case: ChestCase) -> ChestCase:
    """The same image with the complementary report: it names the lesions that `case` does not.

    The complement of a uniformly drawn proper subset is one too, so the law is kept. An image shown
    with both reports cannot be learnt by heart without reading them.
    """
    return case._replace(named=tuple(not flag for flag in case.named))


def report_of(zones: Sequence[str], named: Sequence[bool]) -> str:
    """The report that names some of `zones`; one grammatical form, whatever their number."""
    return f"Target lesions in {' and '.join(f'the {zone}' for zone in compress(zones, named))}."


def subsets(count: int) -> NDArray[np.bool_]:
    """All non-empty proper subsets of `count` things: bool [2**count - 2, count]."""
    return np.array(list(product((False, True), repeat=count))[1:-1])


def expected_dice(areas: Sequence[int], choice: Sequence[bool]) -> float:
    """The Dice to expect of segmenting the chosen lesions and nothing else, without the report.

    The mean is over the law's posterior given the image: all non-empty proper subsets, alike.

    Args:
        areas: Pixels of each lesion.
        choice: For each lesion, whether it is segmented.
    """
    sizes, chosen = np.asarray(areas, np.float64), np.asarray(choice)
    truths = subsets(len(sizes))
    shared = (sizes * (truths & chosen)).sum(axis=1)
    return float(np.mean(2 * shared / ((sizes * chosen).sum() + (sizes * truths).sum(axis=1))))


def best_choice(areas: Sequence[int]) -> tuple[float, tuple[bool, ...]]:
    """The largest expected Dice that any choice of lesions can have without the report, and that choice."""
    choices = product((False, True), repeat=len(areas))
    return max((expected_dice(areas, choice), choice) for choice in choices)


def text_free_bound(cases: Iterable[ChestCase]) -> float:
    """The largest expected per-image Dice that any choice of lesions can have without the text.

    Enumerated case by case from the law itself and the true areas; the mean over the cases.
    """
    return float(np.mean([best_choice([int(lesion.sum()) for lesion in case.lesions])[0] for case in cases]))


def _plan(rng: np.random.Generator) -> tuple[tuple[str, ...], tuple[bool, ...]]:
    """The zones that hold a lesion, and which of them the report names."""
    places = np.sort(rng.choice(len(ZONES), size=int(rng.integers(2, 5)), replace=False))
    table = subsets(len(places))
    named = table[rng.integers(len(table))]
    return tuple(ZONES[place] for place in places), tuple(bool(flag) for flag in named)


def _soft(depth: Floats, width: float) -> Floats:
    """1 inside, 0 outside, with an edge of about `width` around depth 0 (a logistic curve)."""
    return 0.5 * (1 + np.tanh(depth / (2 * width)))


def _ellipse(size: int, centre: tuple[float, float], radii: tuple[float, float], angle: float = 0.0) -> Floats:
    """How deep a pixel lies in an ellipse: 1 in the middle, 0 on the border, negative outside."""
    row, column = centres(size)[:, None] - centre[0], centres(size)[None, :] - centre[1]
    along = row * np.cos(angle) + column * np.sin(angle)
    across = column * np.cos(angle) - row * np.sin(angle)
    depth: Floats = 1 - np.sqrt((along / radii[0]) ** 2 + (across / radii[1]) ** 2)
    return depth


def _lesion_depth(rng: np.random.Generator, zone: str, shift: Floats, size: int) -> Floats:
    """A nearly round lesion about the middle of its zone."""
    side, level, _ = zone.split()
    wander = rng.uniform(-1, 1, size=2) * _WANDER
    radius = _RADIUS * rng.uniform(0.96, 1.04)
    stretch = rng.uniform(0.94, 1.06)
    centre = (_LEVEL_AT[level] + shift[0] + wander[0], _SIDE_AT[side] + shift[1] + wander[1])
    return _ellipse(size, centre, (radius * stretch, radius / stretch), float(rng.uniform(0, np.pi)))


def _thorax(rng: np.random.Generator, shift: Floats, size: int) -> Floats:
    """Body, two lungs, ribs, a heart shadow on the image's right, and smooth texture: float64 [H, W]."""
    top, aside = float(shift[0]), float(shift[1])
    rows, columns = centres(size)[:, None] - top, centres(size)[None, :] - aside
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
