"""Scores by the convention of surface-distance equal those of the package, with numba and without."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from surface_distance import lookup_tables
from surface_distance import metrics as deepmind

from tests.helpers.random_masks import draw_label_space, draw_pair, draw_spacing
from zoo.errors import DataError, RunError, UnknownNameError
from zoo.metrics import far_search, offset_tables
from zoo.metrics.case_scores import CaseScore, read_rows, write_rows
from zoo.metrics.definitions import SURFELS
from zoo.metrics.score_files import read_scores, write_scores
from zoo.metrics.scoring import score_case
from zoo.metrics.surfel_areas import CODES, VOXELS_OF_CORNER, surfel_areas
from zoo.metrics.surfels import compare_surfels
from zoo.types import LabelSpace

Map = NDArray[np.uint8]
ONE = LabelSpace(("organ",), ((1,),))
EXACT: dict[str, Any] = {"rel": 1e-12, "abs": 1e-12, "nan_ok": True}
CONVENTION = ("surface-distance",)


@pytest.fixture(autouse=True)
def _numpy_before_2(monkeypatch: pytest.MonkeyPatch) -> None:
    """The released package names infinity of empty masks as NumPy 1 did."""
    monkeypatch.setattr(np, "Inf", np.inf, raising=False)


def score_by_package(one: Any, other: Any, spacing: tuple[float, ...], tolerance: float) -> tuple[float, float]:
    distances = deepmind.compute_surface_distances(other, one, spacing)
    with np.errstate(invalid="ignore"):
        nsd = deepmind.compute_surface_dice_at_tolerance(distances, tolerance)
    return float(deepmind.compute_robust_hausdorff(distances, 95)), float(nsd)


def check(first: Map, second: Map, labels: LabelSpace, spacing: tuple[float, ...], tolerance: float = 1.0) -> None:
    found = compare_surfels(first, second, labels, spacing, tolerance)
    for value, scores in enumerate(found, start=1):
        expected = score_by_package(first == value, second == value, spacing, tolerance)
        assert tuple(scores) == pytest.approx(expected, **EXACT)


def test_areas_of_all_codes_equal_those_of_the_package() -> None:
    bits = lookup_tables.ENCODE_NEIGHBOURHOOD_3D_KERNEL
    theirs = [sum(int(bits[v]) for i, v in enumerate(VOXELS_OF_CORNER) if code >> i & 1) for code in range(CODES)]
    for spacing in ((1.0, 1.0, 1.0), (0.7, 1.9, 3.1)):
        expected = lookup_tables.create_table_neighbour_code_to_surface_area(spacing)
        assert surfel_areas(spacing) == pytest.approx(expected[theirs], rel=1e-14)
    lengths = lookup_tables.create_table_neighbour_code_to_contour_length((0.7, 1.9))
    pixels = [sum(8 >> i for i in range(4) if code >> i & 1) for code in range(16)]
    assert surfel_areas((0.7, 1.9))[[17 * code for code in range(16)]] == pytest.approx(lengths[pixels], rel=1e-14)


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("spacing", [(1.0, 1.0), (0.75, 2.5), (1.0, 1.0, 1.0), (0.8, 0.8, 3.0)])
def test_every_kind_of_mask_is_scored_as_by_the_package(spacing: tuple[float, ...]) -> None:
    """Empty, full, one voxel, at the edge, and overlapping: each against each."""
    shape = (9, 7, 5)[: len(spacing)]
    masks = [np.zeros(shape, np.uint8) for _ in range(5)]
    masks[1][...] = 1
    masks[2][(4,) * len(shape)] = 1
    masks[3][0] = 1
    masks[4][2:6, 1:5] = 1
    for first, second in product(masks, masks):
        check(first, second, ONE, spacing)


@pytest.mark.usefixtures("way")
def test_random_label_maps_are_scored_as_by_the_package() -> None:
    rng = np.random.default_rng(0)
    for axes in (2, 3) * 30:
        shape = tuple(rng.integers(2, 40 if axes == 2 else 14, axes).tolist())
        labels = draw_label_space(rng)
        check(*draw_pair(rng, shape, len(labels.names)), labels, draw_spacing(rng, axes), float(rng.choice([0.5, 2])))


@pytest.mark.usefixtures("way")
def test_islands_far_from_everything_have_exact_distances(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(offset_tables, "_OFFSETS", 10)
    monkeypatch.setattr(far_search, "_FEW", 3)
    offset_tables.make_tables.cache_clear()
    rng = np.random.default_rng(4)
    for axes in (2, 3) * 5:
        shape = tuple(rng.integers(8, 30 if axes == 2 else 16, axes).tolist())
        check(*draw_pair(rng, shape, 2), LabelSpace(("a", "b"), ((1,), (2,))), draw_spacing(rng, axes))
    offset_tables.make_tables.cache_clear()


@pytest.mark.usefixtures("way")
def test_the_layout_in_memory_does_not_matter() -> None:
    first, second = draw_pair(np.random.default_rng(3), (13, 9, 8), 2)
    check(np.asfortranarray(first), second[::-1].copy()[::-1], LabelSpace(("a", "b"), ((1,), (2,))), (1.0, 2.0, 0.7))


@pytest.mark.usefixtures("way")
def test_overlapping_regions_are_compared_one_by_one() -> None:
    labels = LabelSpace(("whole", "core"), ((1, 2), (2,)), exclusive=False)
    masks = (np.random.default_rng(0).random((2, 2, 9, 8, 7)) < 0.3).astype(np.uint8)
    found = compare_surfels(masks[0], masks[1], labels, (1.0, 2.0, 3.0), 1.0)
    for one, other, scores in zip(masks[0] > 0, masks[1] > 0, found, strict=True):
        assert tuple(scores) == pytest.approx(score_by_package(one, other, (1.0, 2.0, 3.0), 1.0), **EXACT)


def score(prediction: Map, truth: Map, spacing: tuple[float, ...] = (1.0, 2.0)) -> CaseScore:
    return score_case("c", prediction, truth, ONE, spacing, "mm", 1.0, conventions=CONVENTION)[0]


def test_a_row_has_these_scores_on_request_alone() -> None:
    mask = np.zeros((6, 6), np.uint8)
    mask[2:4, 2:4] = 1
    row, plain = score(np.roll(mask, 1, 0), mask), score_case("c", np.roll(mask, 1, 0), mask, ONE, (1, 2), "mm", 1.0)[0]
    assert (row.hd95_surfels, row.nsd_surfels) == (1.0, 1.0)
    assert all(math.isnan(getattr(plain, name)) for name in SURFELS)
    assert plain.dice == row.dice
    assert plain.hd95 == row.hd95


def test_a_missed_object_has_the_diagonal_of_the_outer_corners_and_an_absent_one_has_nothing() -> None:
    """No found object is worse: two voxels in opposite corners have outer corners at this distance."""
    nothing, mask = np.zeros((3, 4), np.uint8), np.zeros((3, 4), np.uint8)
    mask[0, 0] = 1
    for row in (score(nothing, mask), score(mask, nothing)):
        assert (row.hd95_surfels, row.nsd_surfels) == (math.hypot(3, 8), 0.0)
    assert math.isnan(score(nothing, nothing).hd95_surfels)
    assert score(mask[::-1, ::-1], mask).hd95_surfels <= math.hypot(3, 8)


def test_the_columns_are_in_a_file_whose_rows_have_them(tmp_path: Path) -> None:
    mask = np.zeros((6, 6), np.uint8)
    mask[2:4, 2:4] = 1
    rows = [score(mask, mask), replace(score(np.roll(mask, 1), mask), case_id="d", mark="leak")]
    for kept, last in ((rows[:1], ["nsd_surfels"]), (rows, ["nsd_surfels", "mark"])):
        write_rows(tmp_path / "cases.csv", kept)
        head = (tmp_path / "cases.csv").read_text().splitlines()[0].split(",")
        assert head[-len(last) :] == last
        assert read_rows(tmp_path / "cases.csv") == kept


def test_values_of_these_columns_that_cannot_be_are_refused() -> None:
    mask = np.ones((3, 3), np.uint8)
    for name, wrong in (
        ("hd95_surfels", -1.0),
        ("hd95_surfels", math.inf),
        ("nsd_surfels", 1.5),
        ("nsd_surfels", -1.0),
    ):
        with pytest.raises(ValueError, match=f"{name} is {wrong}, which is no"):
            replace(score(mask, mask), **{name: wrong})  # type: ignore[arg-type]


def test_a_stored_distance_longer_than_the_image_is_refused(tmp_path: Path) -> None:
    mask = np.ones((3, 4), np.uint8)
    about = {"shape": {"c": [3, 4]}, "spacing": {"c": [1.0, 2.0]}}
    for distance, message in (
        (math.hypot(3, 8), ""),
        (9.0, "hd95_surfels is 9.0, but the diagonal of the image is 8.5"),
    ):
        write_scores(tmp_path / "cases.csv", [replace(score(mask, mask), hd95_surfels=distance)], about)
        if message:
            with pytest.raises(RunError, match=message):
                read_scores(tmp_path / "cases.csv", "Do it again.")
        else:
            assert read_scores(tmp_path / "cases.csv", "Do it again.")[0][0].hd95_surfels == distance


def test_an_unknown_convention_and_an_image_of_four_axes_are_refused() -> None:
    mask = np.ones((2, 2, 2, 2), np.uint8)
    with pytest.raises(UnknownNameError, match=r"Unknown convention 'surface'.*surface-distance"):
        score_case("c", mask, mask, ONE, (1.0,) * 4, "mm", 1.0, conventions=("surface",))
    with pytest.raises(DataError, match="no surface of 4 axes"):
        score_case("c", mask, mask, ONE, (1.0,) * 4, "mm", 1.0, conventions=CONVENTION)
