"""Instances on hand-made masks: empty, one voxel, touching and overlapping objects, and brute-force matching."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from numpy.typing import NDArray

from zoo.errors import DataError
from zoo.metrics.instance_rules import ASSD, DICE, IOU, RULES, InstanceRule
from zoo.metrics.instances import InstanceCounts, count_instances
from zoo.metrics.scoring import score_case
from zoo.types import LabelSpace

SHAPE = (16, 16, 8)
ONE = (1.0, 1.0, 1.0)


def boxes(*corners: tuple[tuple[int, int, int], int]) -> NDArray[np.uint8]:
    mask = np.zeros(SHAPE, np.uint8)
    for (x, y, z), size in corners:
        mask[x : x + size, y : y + size, z : z + size] = 1
    return mask


def counts(prediction: NDArray[np.uint8], truth: NDArray[np.uint8], rule: str = "rex") -> tuple[int, int, int]:
    return count_instances(prediction, truth, RULES[rule], ONE)[:3]


@pytest.mark.parametrize("rule", RULES)
def test_empty_masks_have_no_instance_and_no_score(rule: str) -> None:
    empty, one = boxes(), boxes(((1, 1, 1), 3))
    assert counts(empty, empty, rule) == (0, 0, 0)
    assert counts(one, empty, rule) == (0, 1, 0)
    assert counts(empty, one, rule) == (0, 0, 1)
    both = count_instances(one, one, RULES[rule], ONE)
    assert both == InstanceCounts(1, 0, 0, 1.0)
    assert (both.f1, both.precision, both.recall, both.dice_of_matched) == (1.0, 1.0, 1.0, 1.0)
    none = count_instances(empty, empty, RULES[rule], ONE)
    assert (none.f1, none.precision, none.recall, none.dice_of_matched) == (None, None, None, None)


def test_a_small_predicted_component_is_dropped_and_a_small_true_one_is_not() -> None:
    speck, one = boxes(((1, 1, 1), 1)), boxes(((8, 8, 2), 3))
    assert counts(speck | one, one) == (1, 0, 0)
    assert counts(speck, speck) == (0, 0, 1), "the scorer of ReXGroundingCT drops predictions below 10 voxels"
    assert counts(speck, speck, "cvpr25") == (1, 0, 0)


def test_objects_that_touch_at_an_edge_are_one_with_18_neighbours_and_two_with_6() -> None:
    touching = boxes(((2, 2, 2), 3), ((5, 5, 2), 3))
    corner = boxes(((2, 2, 2), 3), ((5, 5, 5), 3))
    assert counts(touching, touching, "rex") == (1, 0, 0)
    assert counts(touching, touching, "cvpr25") == (2, 0, 0)
    assert counts(corner, corner, "rex") == (2, 0, 0), "26 neighbours would join them"


def test_an_overlap_at_the_threshold_matches() -> None:
    truth = np.zeros((1, 1, 8), np.uint8)
    truth[..., :4] = 1
    half = np.zeros_like(truth)
    half[..., :2] = 1  # IoU 1/2, Dice 2/3
    assert count_instances(half, truth, RULES["cvpr25"], ONE).tp == 1, "the scorer compares with >="
    assert count_instances(half, truth, InstanceRule("", 1, 1, IOU, 0.51), ONE).tp == 0
    assert count_instances(half, truth, InstanceRule("", 1, 1, DICE, 2 / 3), ONE).tp == 1


def test_one_prediction_matches_one_object_only() -> None:
    truth = boxes(((2, 2, 2), 3), ((2, 8, 2), 3))
    bridge = truth.copy()
    bridge[3, 4:9, 3] = 1
    assert counts(bridge, truth) == (1, 0, 1)
    assert counts(truth, bridge) == (1, 1, 0)


def test_centroids_match_within_two_voxels_of_the_largest_edge() -> None:
    truth, near, far = boxes(((2, 2, 2), 3)), boxes(((4, 2, 2), 3)), boxes(((5, 2, 2), 3))
    assert counts(near, truth, "rex-focal") == (1, 0, 0)
    assert counts(far, truth, "rex-focal") == (0, 1, 1)
    assert count_instances(far, truth, RULES["rex-focal"], (1.0, 1.0, 2.0)).tp == 1


def test_the_surface_distance_of_a_pair_is_that_of_the_metric_assd() -> None:
    truth, near = boxes(((2, 2, 2), 4)), boxes(((3, 4, 2), 5))
    spacing = (0.7, 1.0, 2.5)
    labels = LabelSpace(("lesion",), ((1,),), exclusive=False)
    [score] = score_case("a", near[None], truth[None], labels, spacing, "mm", 2.0)
    for factor, matched in ((1.001, 1), (0.999, 0)):
        rule = InstanceRule("", 3, 1, ASSD, factor * score.assd / 2.5)
        assert count_instances(near, truth, rule, spacing).tp == matched


@pytest.mark.parametrize("seed", range(20))
def test_the_matching_has_the_most_pairs_and_of_these_the_largest_overlap(seed: int) -> None:
    rng = np.random.default_rng(seed)
    truth, guess = (np.repeat((rng.random(24) < 0.6).astype(np.uint8), 3) for _ in range(2))
    guess = np.roll(guess, int(rng.integers(-2, 3)))
    rule = InstanceRule("", 1, 1, DICE, 0.2)
    found = count_instances(guess, truth, rule, (1.0,))
    runs = [np.split(np.flatnonzero(m), np.flatnonzero(np.diff(np.flatnonzero(m)) > 1) + 1) for m in (guess, truth)]
    first, second = ([set(run.tolist()) for run in some if len(run)] for some in runs)
    dice = np.array([[2 * len(a & b) / (len(a) + len(b)) for b in second] for a in first])
    if len(first) > len(second):
        dice = dice.T
    best = (0, 0.0)
    for order in permutations(range(dice.shape[1]), len(dice)) if dice.size and dice.shape[1] < 8 else ():
        chosen = [dice[row, column] for row, column in enumerate(order) if dice[row, column] >= rule.threshold]
        best = max(best, (len(chosen), sum(chosen)))
    if dice.size and dice.shape[1] < 8:
        assert found.tp == best[0]
        assert found.dice == pytest.approx(best[1])
    assert found.tp + found.fp == len(first)
    assert found.tp + found.fn == len(second)


def test_masks_of_two_shapes_are_refused() -> None:
    with pytest.raises(DataError, match="a prediction of shape"):
        count_instances(np.zeros((2, 2)), np.zeros((3, 2)), RULES["rex"], (1.0, 1.0))
