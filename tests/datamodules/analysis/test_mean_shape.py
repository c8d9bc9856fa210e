"""Mean shapes of masks that are small enough to check by eye."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
from numpy.typing import NDArray

from datamodules.analysis.mean_shape import THRESHOLDS, MeanShape, compute_coverage
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


TWO = LabelSpace(("a", "b"), ((1,), (2,)), exclusive=False)


def random_share(number: int, side: int = 12) -> NDArray[np.float32]:
    return np.random.default_rng(number).random((2, side, side), dtype=np.float32)


def best_thresholds(shares: list[NDArray[np.float32]], texts: list[str] | None) -> NDArray[np.float64]:
    """Compute the thresholds in the plain way, with everything in memory."""
    scores = np.zeros((len(THRESHOLDS), 2))
    for place, share in enumerate(shares):
        alike = [one for number, one in enumerate(shares) if texts is None or texts[number] == texts[place]]
        mean = (sum(one.astype(np.float64) for one in alike) / len(alike)).astype(np.float32)  # type: ignore[union-attr]
        for index, threshold in enumerate(THRESHOLDS):
            guess, mask = mean >= threshold, share >= 0.5
            total = guess.sum((1, 2)) + mask.sum((1, 2))
            scores[index] += np.where(total > 0, 2 * (guess & mask).sum((1, 2)) / np.maximum(total, 1), 0.0)
    best: NDArray[np.float64] = np.array(THRESHOLDS)[scores.argmax(axis=0)]
    return best


@pytest.mark.parametrize("by_text", [False, True])
def test_cases_that_are_computed_again_give_the_same_digits(by_text: bool) -> None:
    shares = [random_share(number) for number in range(60)]
    texts = [f"text {number % 25}" for number in range(60)]
    shape = MeanShape(TWO, by_text)
    for share, text in zip(shares, texts, strict=True):
        shape.add(partial(np.copy, share), text)
    assert np.array_equal(shape.thresholds, best_thresholds(shares, texts if by_text else None))
    total = np.zeros_like(shares[0], dtype=np.float64)
    for share, text in zip(shares, texts, strict=True):
        if text == "text 3" or not by_text:
            total += share
    assert np.array_equal(shape.mean("text 3"), (total / (3 if by_text else 60)).astype(np.float32))


@pytest.mark.parametrize("alike", [1, 20])
def test_memory_does_not_grow_with_the_cases_and_each_is_computed_a_few_times(alike: int) -> None:
    def measure(cases: int) -> tuple[int, float]:
        calls = 0

        def count(number: int) -> NDArray[np.float32]:
            nonlocal calls
            calls += 1
            return random_share(number, 48)

        def load(number: int) -> Callable[[], NDArray[np.float32]]:
            return lambda: count(number)

        tracemalloc.start()
        try:
            shape = MeanShape(TWO, by_text=True)
            for number in range(cases):
                shape.add(load(number), f"text {number // alike}")
            assert shape.thresholds.shape == (2,)
            for text in range(cases // alike):
                shape.predict((48, 48), f"text {text}")
            return tracemalloc.get_traced_memory()[1], calls / cases
        finally:
            tracemalloc.stop()

    (few, once), (many, again) = measure(60), measure(140)
    assert (many - few) / 80 < 2_000  # bytes; the coverage of a case has 18,432
    assert once == again <= 4
