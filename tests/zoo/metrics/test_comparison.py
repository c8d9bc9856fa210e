"""Compiled kernels and SciPy find the same counts and distances, and each machine uses what it has."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.helpers.random_masks import draw_label_space, draw_pair, draw_spacing
from zoo.metrics import comparison, compiled_comparison, far_search, image_comparison, offset_tables
from zoo.metrics.compiled_comparison import compare_compiled
from zoo.metrics.distance_kernels import find_percentile
from zoo.metrics.scipy_comparison import compare_with_scipy
from zoo.types import LabelSpace

ONE = LabelSpace(("organ",), ((1,),))
Map = NDArray[np.uint8]


def check(first: Map, second: Map, labels: LabelSpace, spacing: Sequence[float]) -> None:
    """Compare both ways."""
    compiled = compare_compiled(first, second, labels, spacing, 1.0)
    reference = compare_with_scipy(first, second, labels, spacing, 1.0)
    for one, other in zip(compiled, reference, strict=True):
        assert one[:3] == other[:3]
        assert (one.surface is None) == (other.surface is None)
        if one.surface and other.surface:
            assert one.surface == pytest.approx(other.surface, rel=1e-12, abs=1e-12)


@pytest.mark.parametrize("axes", [2, 3])
def test_both_ways_find_the_same(axes: int) -> None:
    rng = np.random.default_rng(axes)
    for _ in range(60):
        shape = tuple(rng.integers(1, 60 if axes == 2 else 30, axes).tolist())
        labels = draw_label_space(rng)
        check(*draw_pair(rng, shape, len(labels.names)), labels, draw_spacing(rng, axes))


def test_overlapping_regions_are_compared_one_by_one() -> None:
    rng = np.random.default_rng(0)
    labels = LabelSpace(("whole", "core", "none"), ((1, 2), (2,), (3,)), exclusive=False)
    masks = np.zeros((2, 3, 9, 10, 11), np.uint8)
    masks[:, :2] = rng.random((2, 2, 9, 10, 11)) < 0.3
    check(masks[0], masks[1], labels, (1.0, 2.0, 3.0))


@pytest.mark.parametrize(
    "arrange",
    [
        np.asfortranarray,
        lambda array: array[::-1].copy()[::-1],
        lambda array: np.frombuffer(array.tobytes(), np.uint8).reshape(array.shape),
    ],
    ids=["Fortran order", "negative strides", "read-only"],
)
def test_the_layout_in_memory_does_not_matter(arrange: Callable[[Map], Map]) -> None:
    rng = np.random.default_rng(3)
    first, second = draw_pair(rng, (13, 9, 17), 3)
    labels = LabelSpace(("a", "b", "c"), ((1,), (2,), (3,)))
    expected = compare_compiled(first, second, labels, (1.0, 2.0, 0.7), 1.0)
    for pair in ((arrange(first), second), (arrange(first), arrange(second))):
        for one, other in zip(compare_compiled(*pair, labels, (1.0, 2.0, 0.7), 1.0), expected, strict=True):
            assert one[:3] == other[:3]
            assert (one.surface or ()) == pytest.approx(other.surface or (), rel=1e-12)


def test_islands_far_from_everything_have_exact_distances(monkeypatch: pytest.MonkeyPatch) -> None:
    """With few offsets and many cells, nearly each voxel needs the search among all border voxels."""
    monkeypatch.setattr(offset_tables, "_OFFSETS", 10)
    monkeypatch.setattr(far_search, "_FEW", 3)
    monkeypatch.setattr(image_comparison, "_PIXELS", 2)
    offset_tables.make_tables.cache_clear()
    image_comparison.rank_lengths.cache_clear()
    rng = np.random.default_rng(4)
    for axes in (2, 3) * 6:
        shape = tuple(rng.integers(8, 40, axes).tolist())
        check(*draw_pair(rng, shape, 2), LabelSpace(("a", "b"), ((1,), (2,))), draw_spacing(rng, axes))
    offset_tables.make_tables.cache_clear()
    image_comparison.rank_lengths.cache_clear()


@pytest.mark.parametrize("spacing", [(1.0, 1.0), (0.7, 0.7), (0.02, 5.0)])
def test_objects_at_opposite_edges_of_an_image_have_exact_distances(spacing: tuple[float, float]) -> None:
    first, second = np.zeros((2, 150, 203), np.uint8)
    first[:3, :2], second[-1, -4:], second[70, 0] = 1, 1, 1
    check(first, second, ONE, spacing)
    check(first.T, second.T, ONE, spacing)


@pytest.mark.parametrize("rows", [(1 << 14) - 6, 1 << 14])  # the box has five columns
def test_a_tall_image_has_exact_distances_below_and_above_the_range_of_16_bits(rows: int) -> None:
    first, second = np.zeros((2, rows + 2, 5), np.uint8)
    first[1, 0], second[rows, 4], second[rows, 1] = 1, 1, 1
    check(first, second, ONE, (1.0, 1.0))


@pytest.mark.parametrize("width", [1, 7, 8, 9, 16])
def test_pixels_in_each_place_of_a_word_are_counted_and_compared(width: int) -> None:
    """Words with one class, with another one than the word before, with two classes, and with values beyond them."""
    rng = np.random.default_rng(width)
    labels = LabelSpace(("a", "b", "c"), ((1,), (2,), (3,)))
    for values in ([0, 1], [0, 3], [1, 2], [0, 1, 2, 3]):
        first, second = rng.choice(np.array(values, np.uint8), (2, 6, width))
        check(first, second, labels, (1.0, 1.5))


def test_threads_find_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled_comparison, "_IN_THREADS", 1)
    monkeypatch.setattr(compiled_comparison, "_count_threads", lambda: 2)
    rng = np.random.default_rng(5)
    for shape in ((20, 9, 17), (3, 30, 30), (40, 40)):
        check(*draw_pair(rng, shape, 3), LabelSpace(("a", "b", "c"), ((1,), (2,), (3,))), (1.0, 0.6, 2.0)[: len(shape)])


@pytest.mark.parametrize(("setting", "threads"), [("1", 1), ("", 4), ("3", 3), ("9", 4), ("many", 4), ("0", 4)])
def test_the_number_of_threads_is_limited_as_elsewhere(
    setting: str, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", setting)
    monkeypatch.setattr(compiled_comparison, "count_cores", lambda: 4)
    assert compiled_comparison._count_threads() == threads


def test_values_beyond_the_classes_are_not_compared() -> None:
    first = np.full((6, 6), 200, np.uint8)
    first[2:4, 2:4] = 1
    assert [one.tp for one in compare_compiled(first, first, ONE, (1.0, 1.0), 1.0)] == [4]


def test_an_image_of_another_number_of_axes_is_compared_without_kernels() -> None:
    mask = np.ones((2, 2, 2, 2), np.uint8)
    assert comparison.compare_masks(mask, mask, ONE, (1.0,) * 4, 1.0)[0].tp == 16


def test_percentiles_of_counts_equal_those_of_numpy() -> None:
    rng = np.random.default_rng(6)
    for _ in range(200):
        distances = np.unique(rng.uniform(0, 9, int(rng.integers(1, 8))))
        counts = rng.integers(0, 5, distances.size)
        counts[rng.integers(0, distances.size)] += 1
        for share in (0.0, 0.5, 0.95, 1.0):
            expected = np.percentile(np.repeat(distances, counts), 100 * share)
            assert find_percentile(distances, counts, share) == expected
