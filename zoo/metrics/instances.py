"""Instance scores: the instances of prediction and label are matched one to one, and counted (`instance_rules`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from zoo.errors import DataError
from zoo.metrics.instance_matching import match_best, match_greedily
from zoo.metrics.instance_pairs import InstancePairs, find_close_pairs, find_instances, pair_instances
from zoo.metrics.instance_rules import DICE, IOU, InstanceRule

_ROUNDING = 1e-9
"""Relative margin of a threshold, because sums of decimal spacings are not exact."""

_EPSILON = 1e-6
"""Added to both terms of a Dice by the scorer of ReXGroundingCT; it orders pairs of equal Dice."""


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
    prediction: NDArray[np.generic],
    truth: NDArray[np.generic],
    rule: InstanceRule,
    spacing: Sequence[float],
    numbered: bool = False,
) -> InstanceCounts:
    """Match the instances of two masks one to one by a rule, and count them.

    Args:
        prediction: Mask of 0 and 1, [*S].
        truth: Mask of the label, [*S].
        rule: What an instance is, and when two match.
        spacing: Size of a voxel along each axis of S.
        numbered: Whether each value of `truth` above 0 is one instance; else its components are the instances.

    Raises:
        DataError: The shapes differ.

    Example:
        >>> from zoo.metrics.instance_rules import RULES
        >>> truth = np.array([1, 1, 0, 0, 0, 1, 1, 0])
        >>> guess = np.array([1, 1, 0, 1, 0, 0, 0, 0])
        >>> tuple(count_instances(guess, truth, RULES["cvpr25"], (1.0,)))
        (1, 1, 1, 1.0)
    """
    return count_matches(pair_masks(prediction, truth, rule, numbered), rule, spacing)


def pair_masks(
    prediction: NDArray[np.generic], truth: NDArray[np.generic], rule: InstanceRule, numbered: bool = False
) -> InstancePairs:
    """Find the instances of two masks and their overlaps; rules that differ in the matching alone can share them.

    Raises:
        DataError: The shapes differ.
    """
    if prediction.shape != truth.shape:
        raise DataError(f"instances of a prediction of shape {prediction.shape} and a label of shape {truth.shape}.")
    return pair_instances(*find_instances(prediction, truth, rule, numbered))


def count_matches(pairs: InstancePairs, rule: InstanceRule, spacing: Sequence[float]) -> InstanceCounts:
    """Match the instances of two masks by a rule, and count them.

    Args:
        pairs: The instances.
        rule: When two of them match.
        spacing: Size of a voxel along each axis.
    """
    sizes, true_sizes = pairs.sizes, pairs.true_sizes
    if rule.measure in (DICE, IOU):
        first, second, shared = pairs.first, pairs.second, pairs.shared
        both = sizes[first] + true_sizes[second]
        values = 2 * shared / both if rule.measure == DICE else shared / (both - shared)
        matches = values >= rule.threshold * (1 - _ROUNDING)
        order = (2 * shared + _EPSILON) / (both + _EPSILON) if rule.measure == DICE else values
    else:
        limit = rule.threshold * max(spacing) * (1 + _ROUNDING)
        first, second, distances = find_close_pairs(pairs, rule.measure, spacing, limit)
        matches, order = np.ones(len(first), bool), -distances
    match = match_greedily if rule.greedy else match_best
    kept = match(first[matches], second[matches], order[matches])
    matched = list(zip(first[matches][kept].tolist(), second[matches][kept].tolist(), strict=True))
    overlaps = pairs.overlaps()
    dice = [2 * overlaps.get((g, t), 0) / int(sizes[g] + true_sizes[t]) for g, t in matched]
    tp = len(matched)
    return InstanceCounts(tp, len(sizes) - tp, len(true_sizes) - tp, float(sum(dice)))
