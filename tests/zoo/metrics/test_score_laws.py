"""Four laws of scores over many random pairs of masks."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.helpers.random_masks import draw_pair, draw_spacing
from zoo.metrics.case_scores import CaseScore
from zoo.metrics.definitions import METRICS, iou_of_counts
from zoo.metrics.scoring import score_case
from zoo.metrics.surface import diagonal
from zoo.types import LabelSpace

ONE = LabelSpace(("organ",), ((1,),))
Mask = NDArray[np.uint8]


def score(prediction: Mask, truth: Mask, spacing: tuple[float, ...]) -> CaseScore:
    return score_case("case", prediction, truth, ONE, spacing, "mm", 2.0)[0]


def iou(row: CaseScore) -> float:
    return iou_of_counts(row.tp, row.fp, row.fn)


def find_improved(row: CaseScore, other: CaseScore) -> list[str]:
    """List the metrics in which `row` is better than `other`."""
    signs = {"higher": 1, "lower": -1}
    better = [m.key for m in METRICS if signs[m.direction] * (getattr(row, m.key) - getattr(other, m.key)) > 0]
    return better + (["iou"] if iou(row) > iou(other) else [])


def check_laws(pairs: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    statuses = set()
    for _ in range(pairs):
        axes = int(rng.integers(2, 4))
        shape = tuple(rng.integers(1, 30 if axes == 2 else 12, axes).tolist())
        prediction, truth = draw_pair(rng, shape, 1)
        spacing = draw_spacing(rng, axes)
        row, empty = score(prediction, truth, spacing), np.zeros_like(truth)
        statuses.add(row.status)

        right = np.argwhere(prediction == truth)
        if row.status != "absent" and len(right):
            worse = prediction.copy()
            place = tuple(rng.choice(right))
            worse[place] = 1 - worse[place]
            after = score(worse, truth, spacing)
            assert after.dice <= row.dice, "a false voxel raises Dice"
            assert iou(after) <= iou(row), "a false voxel raises IoU"

        if truth.any():
            missed = score(empty, truth, spacing)
            assert missed.status == "missed"
            assert not find_improved(missed, row), "a prediction scores worse than none"
        if prediction.any() and truth.any():
            spurious = score(prediction, empty, spacing)
            assert spurious.status == "spurious"
            assert not find_improved(spurious, row), "a spurious object scores better than a found one"

        if row.status != "absent":
            assert row.hd95 <= diagonal(shape, spacing), "HD95 is longer than the image"
    assert statuses == {"ok", "missed", "spurious", "absent"}


@pytest.mark.usefixtures("way")
def test_the_four_laws_hold_for_two_hundred_pairs() -> None:
    check_laws(200, seed=0)


@pytest.mark.slow
@pytest.mark.usefixtures("way")
def test_the_four_laws_hold_for_ten_thousand_pairs() -> None:
    check_laws(10_000, seed=1)
