"""Mean shapes of masks that are small enough to check by eye."""

from __future__ import annotations

import numpy as np
import pytest

from datamodules.analysis.mean_shape import MeanShape, compute_coverage
from zoo.types import LabelSpace

EXCLUSIVE = LabelSpace(("a", "b"), ((1,), (2,)))
SINGLE = LabelSpace(("lesion",), ((1,),), exclusive=False)


def square(start: int, size: int = 8) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    mask = np.zeros((1, size, size), dtype=np.uint8)
    mask[0, start : start + 2, start : start + 2] = 1
    return mask


def test_coverage_is_the_covered_share_of_a_cell() -> None:
    mask = np.zeros((4, 4), dtype=np.uint8)
    mask[0, :3] = 2
    share = compute_coverage(mask, EXCLUSIVE, (2, 2))
    assert share.shape == (2, 2, 2)
    assert share[0].max() == 0
    assert share[1] == pytest.approx(np.array([[0.5, 0.25], [0, 0]]))


def test_of_exclusive_classes_the_most_frequent_label_is_predicted() -> None:
    shape = MeanShape(EXCLUSIVE)
    for value in (1, 1, 2):
        volume = np.zeros((4, 4, 4), dtype=np.uint8)
        volume[:2] = value
        volume[3, 0, 0] = value == 2  # in one of three cases: the background is predicted
        shape.add(compute_coverage(volume, EXCLUSIVE, (4, 4, 4)))
    guess = shape.predict((4, 4, 4))
    assert guess.dtype == np.uint8
    assert (guess[:2] == 1).all()
    assert not guess[2:].any()
    assert shape.predict((8, 6, 5)).shape == (8, 6, 5)  # the grid of another image


def test_scattered_objects_are_predicted_from_the_threshold_with_the_best_dice() -> None:
    shape = MeanShape(SINGLE)
    for start in (0, 4, 4, 6, 2):
        shape.add(compute_coverage(square(start), SINGLE, (8, 8)))
    assert shape.thresholds[0] <= 0.4
    assert (shape.predict((8, 8))[0, 4:6, 4:6] == 1).all()  # 2 of 5 cases: less than half


def test_the_text_chooses_the_shape() -> None:
    shape = MeanShape(SINGLE, by_text=True)
    for start, text in ((0, "upper"), (0, "upper"), (5, "lower")):
        shape.add(compute_coverage(square(start), SINGLE, (8, 8)), text)
    assert np.array_equal(shape.predict((8, 8), "upper"), square(0))
    assert np.array_equal(shape.predict((8, 8), "lower"), square(5))
    assert np.array_equal(shape.mean("never seen"), shape.mean())


def test_without_texts_the_text_of_a_case_does_not_matter() -> None:
    shape = MeanShape(SINGLE)
    shape.add(compute_coverage(square(0), SINGLE, (8, 8)), "upper")
    shape.add(compute_coverage(square(5), SINGLE, (8, 8)), "lower")
    assert np.array_equal(shape.predict((8, 8), "upper"), shape.predict((8, 8), "lower"))
