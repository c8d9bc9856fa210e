"""Instance scores: connected components of prediction and label are matched one to one, and counted.

A rule says what a component is, how two of them are compared, and when they match. The rules of published scorers have
names. The scorers themselves were not at hand: the rules follow the descriptions that `docs/metrics.md` cites.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import generate_binary_structure, label
from scipy.optimize import linear_sum_assignment
from scipy.spatial import cKDTree

from zoo.errors import DataError

DICE, IOU, CENTROID, ASSD = "dice", "iou", "centroid", "assd"
"""How two components are compared: two overlaps, of which more is better, and two distances."""


@dataclass(frozen=True, slots=True)
class InstanceRule:
    """What an instance is, and when two instances match.

    Attributes:
        about: Where the rule is from.
        steps: Most axes along which two neighbouring voxels differ: 1 is 6 neighbours in 3D, 2 is 18, and 3 is 26.
        smallest: Fewest voxels of a predicted component; smaller ones are dropped.
        measure: One of `DICE`, `IOU`, `CENTROID`, `ASSD`.
        threshold: Lowest overlap, or largest distance in units of the largest voxel edge.
        above: Whether an overlap must be above the threshold, and not equal to it.
    """

    about: str
    steps: int
    smallest: int
    measure: str
    threshold: float
    above: bool = False


RULES = {
    "rex": InstanceRule("ReXGroundingCT: components that overlap by Dice of 0.2 or more", 2, 10, DICE, 0.2),
    "rex-focal": InstanceRule("ReXGroundingCT: centroids within two voxels", 2, 10, CENTROID, 2.0),
    "rex-diffuse": InstanceRule("ReXGroundingCT: surfaces within two voxels on average", 2, 10, ASSD, 2.0),
    "cvpr25": InstanceRule("CVPR25-BiomedSegFM: components that overlap by IoU above 0.5", 1, 1, IOU, 0.5, above=True),
}
"""The rules of published scorers, by name."""


class InstanceCounts(NamedTuple):
    """The instances of one mask, or the sum over several masks.

    Attributes:
        tp: Matched pairs.
        fp: Predicted instances without a match.
        fn: Instances of the label without a match.
        dice: Sum of the Dice over the matched pairs.

    Example:
        >>> InstanceCounts(2, 1, 0, 1.5).f1, InstanceCounts(2, 1, 0, 1.5).dice_of_matched
        (0.8, 0.75)
    """

    tp: int
    fp: int
    fn: int
    dice: float

    @property
    def precision(self) -> float | None:
        """Tp / (tp + fp); None where nothing is predicted."""
        return self.tp / (self.tp + self.fp) if self.tp + self.fp else None

    @property
    def recall(self) -> float | None:
        """Tp / (tp + fn); None where the label is empty."""
        return self.tp / (self.tp + self.fn) if self.tp + self.fn else None

    @property
    def f1(self) -> float | None:
        """2 tp / (2 tp + fp + fn); None where both masks are empty."""
        total = 2 * self.tp + self.fp + self.fn
        return 2 * self.tp / total if total else None

    @property
    def dice_of_matched(self) -> float | None:
        """Mean Dice of the matched pairs; None without a pair."""
        return self.dice / self.tp if self.tp else None


def count_instances(
    prediction: NDArray[np.generic], truth: NDArray[np.generic], rule: InstanceRule, spacing: Sequence[float]
) -> InstanceCounts:
    """Match the components of two masks one to one, with the best sum of overlaps or distances, and count them.

    Args:
        prediction: Mask of 0 and 1, [*S].
        truth: Mask of the label, [*S].
        rule: What an instance is, and when two match.
        spacing: Size of a voxel along each axis of S.

    Raises:
        DataError: The shapes differ.

    Example:
        >>> truth = np.array([1, 1, 0, 0, 0, 1, 1, 0])
        >>> guess = np.array([1, 1, 0, 1, 0, 0, 0, 0])
        >>> tuple(count_instances(guess, truth, RULES["cvpr25"], (1.0,)))
        (1, 1, 1, 1.0)
    """
    if prediction.shape != truth.shape:
        raise DataError(f"instances of a prediction of shape {prediction.shape} and a label of shape {truth.shape}.")
    guessed, true = _components(prediction, rule.steps, rule.smallest), _components(truth, rule.steps, 1)
    sizes, true_sizes = np.bincount(guessed.ravel())[1:], np.bincount(true.ravel())[1:]
    if not (len(sizes) and len(true_sizes)):
        return InstanceCounts(0, len(sizes), len(true_sizes), 0.0)
    joint = np.zeros((len(sizes) + 1, len(true_sizes) + 1), np.int64)
    np.add.at(joint, (guessed.ravel(), true.ravel()), 1)
    shared = joint[1:, 1:]
    both = sizes[:, None] + true_sizes[None, :]
    dice = 2 * shared / both
    if rule.measure in (DICE, IOU):
        values, sign = (dice if rule.measure == DICE else shared / (both - shared)), 1
    else:
        values, sign = _distances(rule.measure, guessed, true, dice.shape, spacing), -1
    limit = rule.threshold * (max(spacing) if sign < 0 else 1.0)
    matches = sign * values > sign * limit if rule.above else sign * values >= sign * limit
    # A pair that may not match costs more than all pairs that may, so that as many as possible match.
    worst = 1.0 + np.abs(values[matches]).sum() if matches.any() else 1.0
    rows, columns = linear_sum_assignment(np.where(matches, -sign * values, worst))
    kept = matches[rows, columns]
    tp = int(kept.sum())
    return InstanceCounts(tp, len(sizes) - tp, len(true_sizes) - tp, float(dice[rows, columns][kept].sum()))


def _components(mask: NDArray[np.generic], steps: int, smallest: int) -> NDArray[np.int32]:
    """Number the connected components of a mask from 1; small ones become background."""
    structure = generate_binary_structure(mask.ndim, min(steps, mask.ndim))
    numbers, count = label(mask != 0, structure)
    if smallest > 1 and count:
        sizes = np.bincount(numbers.ravel())
        kept = sizes >= smallest
        kept[0] = False
        table = np.zeros(count + 1, np.int32)
        table[kept] = np.arange(1, kept.sum() + 1)
        numbers = table[numbers]
    return np.asarray(numbers, np.int32)


def _distances(
    measure: str,
    guessed: NDArray[np.int32],
    true: NDArray[np.int32],
    counts: tuple[int, ...],
    spacing: Sequence[float],
) -> NDArray[np.float64]:
    """The distance of each predicted component to each true one, in the unit of the spacing."""
    if measure == ASSD:
        return _surface_distances(guessed, counts[0], true, counts[1], spacing)
    first, second = (_centroids(numbers, n, spacing) for numbers, n in zip((guessed, true), counts, strict=True))
    return np.asarray(np.linalg.norm(first[:, None] - second[None, :], axis=2))


def _centroids(numbers: NDArray[np.int32], count: int, spacing: Sequence[float]) -> NDArray[np.float64]:
    """The centroid of each component, [count, D] in the unit of the spacing."""
    voxels = np.nonzero(numbers)
    owner = numbers[voxels] - 1
    sizes = np.bincount(owner, minlength=count)
    sums = [np.bincount(owner, weights=axis, minlength=count) for axis in voxels]
    return np.asarray(np.stack(sums, axis=1) / sizes[:, None] * np.asarray(spacing))


def _surface_distances(
    guessed: NDArray[np.int32], count: int, true: NDArray[np.int32], true_count: int, spacing: Sequence[float]
) -> NDArray[np.float64]:
    """The average symmetric surface distance of each pair of components, [count, true_count]."""
    first, second = _border_points(guessed, count, spacing), _border_points(true, true_count, spacing)
    trees = [cKDTree(points) for points in second]
    distances = np.empty((count, true_count))
    for row, points in enumerate(first):
        tree = cKDTree(points)
        for column, others in enumerate(second):
            both = np.sum(trees[column].query(points)[0]) + np.sum(tree.query(others)[0])
            distances[row, column] = both / (len(points) + len(others))
    return distances


def _border_points(numbers: NDArray[np.int32], count: int, spacing: Sequence[float]) -> list[NDArray[np.float64]]:
    """The voxels of each component that have a neighbour outside of it across a face, [n, D] in the unit of spacing."""
    padded = np.pad(numbers, 1)
    inside = tuple(slice(1, -1) for _ in numbers.shape)
    border = np.zeros(numbers.shape, bool)
    for axis in range(numbers.ndim):
        for shift in (1, -1):
            border |= np.roll(padded, shift, axis)[inside] != numbers
    voxels = np.argwhere(border & (numbers > 0))
    owner = numbers[tuple(voxels.T)]
    return [voxels[owner == number] * np.asarray(spacing, np.float64) for number in range(1, count + 1)]
