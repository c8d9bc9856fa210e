"""Score rows: missed, spurious and absent objects, both kinds of label space, and the CSV file."""

from __future__ import annotations

import hashlib
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.helpers.score_rows import ORGANS, SPACING, one_row, same, scene
from zoo.errors import DataError
from zoo.metrics.case_scores import CaseScore, cases_hash, status_of
from zoo.metrics.class_masks import objects
from zoo.metrics.definitions import METRIC_KEYS
from zoo.metrics.scoring import score_case
from zoo.types import LabelSpace

pytestmark = pytest.mark.usefixtures("way")
DIAGONAL = math.hypot(9 * 0.5, 11 * 1.0, 7 * 3.0)


def test_each_status_has_its_scores() -> None:
    liver, spleen, gallbladder, aorta = score_case("c", *scene(), ORGANS, SPACING, "mm", 1.0)
    assert [row.label for row in (liver, spleen, gallbladder, aorta)] == list(ORGANS.names)
    assert [row.index for row in (liver, spleen, gallbladder, aorta)] == [1, 2, 3, 4]
    assert (liver.status, liver.tp, liver.fp, liver.fn, liver.dice) == ("ok", 48, 16, 16, 0.75)
    # Shifted by 1 mm along the second axis: no border voxel is farther than that from the other border.
    assert (liver.hd95, liver.hd95_pooled, liver.nsd) == (1.0, 1.0, 1.0)
    assert (spleen.status, spleen.tp, spleen.fp, spleen.fn) == ("missed", 0, 0, 1)
    assert (gallbladder.status, gallbladder.tp, gallbladder.fp, gallbladder.fn) == ("spurious", 0, 1, 0)
    for row in (spleen, gallbladder):
        assert (row.dice, row.nsd) == (0.0, 0.0)
        assert (row.hd95, row.hd95_pooled, row.assd) == pytest.approx((DIAGONAL,) * 3)
    assert (aorta.status, aorta.tp, aorta.fp, aorta.fn) == ("absent", 0, 0, 0)
    assert all(math.isnan(getattr(aorta, name)) for name in METRIC_KEYS)


def test_a_shifted_slab_has_the_scores_computed_by_hand() -> None:
    """Two neighbouring columns, 2 px apart: every border voxel is exactly that far from the other column."""
    mask, label = np.zeros((4, 5), np.uint8), np.zeros((4, 5), np.uint8)
    label[:, 0] = 1
    mask[:, 1] = 1
    row = score_case("c", mask, label, LabelSpace(("a",), ((1,),)), (1.0, 2.0), "px", 1.99)[0]
    assert (row.dice, row.hd95, row.hd95_pooled, row.assd, row.nsd) == (0.0, 2.0, 2.0, 2.0, 0.0)
    assert score_case("c", mask, label, LabelSpace(("a",), ((1,),)), (1.0, 2.0), "px", 2.0)[0].nsd == 1.0


def test_percentile_mean_and_tolerance_are_those_computed_by_hand() -> None:
    """One point against five in a row: directed distances {0} and {0, 1, 2, 3, 4}."""
    mask, label = np.zeros((1, 5), np.uint8), np.ones((1, 5), np.uint8)
    mask[0, 0] = 1
    row = score_case("c", mask, label, LabelSpace(("a",), ((1,),)), (1.0, 1.0), "px", 2.0)[0]
    assert row.hd95 == pytest.approx(3.8)  # rank 0.95 * 4 of 0, 1, 2, 3, 4
    assert row.hd95_pooled == pytest.approx(3.75)  # rank 0.95 * 5 of 0, 0, 1, 2, 3, 4
    assert row.assd == pytest.approx(10 / 6)
    assert row.nsd == pytest.approx(4 / 6)
    assert row.dice == pytest.approx(2 / 6)


def test_a_distance_equal_to_the_tolerance_does_not_depend_on_rounding() -> None:
    label, mask = np.zeros((1, 40), np.uint8), np.zeros((1, 40), np.uint8)
    for start in range(20):
        label[:], mask[:] = 0, 0
        label[0, start], mask[0, start + 20] = 1, 1
        assert score_case("c", mask, label, LabelSpace(("a",), ((1,),)), (1.0, 0.1), "mm", 2.0)[0].nsd == 1.0


def test_overlapping_masks_score_as_exclusive_ones_do() -> None:
    mask, label = scene()
    regions = LabelSpace(ORGANS.names, ORGANS.values, exclusive=False)
    stacked = [np.stack([array == value for value in (1, 2, 3, 4)]).astype(np.uint8) for array in (mask, label)]
    expected = score_case("c", mask, label, ORGANS, SPACING, "mm", 2.0)
    found = score_case("c", stacked[0], stacked[1], regions, SPACING, "mm", 2.0)
    assert all(same(a, b) for a, b in zip(found, expected, strict=True))


def test_overlapping_regions_may_overlap() -> None:
    tumour = LabelSpace(("whole", "core"), ((1, 2), (2,)), exclusive=False)
    label = np.zeros((2, 8, 8), np.uint8)
    label[0, 1:7, 1:7] = 1
    label[1, 3:5, 3:5] = 1
    rows = score_case("c", label, label, tumour, (1.0, 1.0), "px", 2.0)
    assert [(row.tp, row.dice, row.hd95) for row in rows] == [(36, 1.0, 0.0), (4, 1.0, 0.0)]


def test_the_memory_order_does_not_change_the_scores() -> None:
    mask, label = scene()
    expected = score_case("c", mask, label, ORGANS, SPACING, "mm", 2.0)
    found = score_case("c", np.asfortranarray(mask), label[::-1].copy()[::-1], ORGANS, SPACING, "mm", 2.0)
    assert all(same(a, b) for a, b in zip(found, expected, strict=True))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"mask": np.zeros((10, 12, 9), np.uint8)}, "shape"),
        ({"mask": np.zeros((10, 12, 8), np.int64)}, "uint8"),
        ({"label": np.full((10, 12, 8), 5, np.uint8)}, "the value 5, but the highest valid value is 4"),
        ({"spacing": (1.0, 1.0)}, "spacing"),
        ({"spacing": (1.0, 0.0, 1.0)}, "spacing"),
        ({"spacing": (1.0, math.nan, 1.0)}, "spacing"),
        ({"tolerance": -1.0}, "tolerance"),
        ({"tolerance": math.nan}, "tolerance"),
        ({"mask": np.zeros((0, 2, 2), np.uint8), "label": np.zeros((0, 2, 2), np.uint8)}, "shape"),
        ({"labels": LabelSpace(("a", "b"), ((1,), (2,)), exclusive=False)}, "there are 10 masks for 2 classes"),
        (
            {
                "labels": LabelSpace(("a", "b"), ((1,), (2,)), exclusive=False),
                "mask": np.full((2, 4, 4, 4), 2, np.uint8),
                "label": np.ones((2, 4, 4, 4), np.uint8),
            },
            "the value 2, but the highest valid value is 1",
        ),
    ],
)
def test_masks_that_cannot_be_scored_are_refused(change: dict[str, object], message: str) -> None:
    mask, label = scene()
    facts = {"mask": mask, "label": label, "labels": ORGANS, "spacing": SPACING, "unit": "mm", "tolerance": 2.0}
    with pytest.raises(DataError, match=f"'case_07'.*{message}"):
        score_case("case_07", **(facts | change))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "change",
    [
        {"status": "missed"},
        {"status": "lost"},
        {"unit": "cm"},
        {"dice": math.nan},
        {"hd95": math.inf},
        {"tp": -1},
        {"status": "absent", "tp": 0, "fp": 0, "fn": 0},
    ],
)
def test_a_row_cannot_contradict_itself(change: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"status|unit|is nan|is inf|below 0|is 0.5 although"):
        one_row(**change)


def test_rows_of_absent_objects_are_equal() -> None:
    """NaN equals nothing, but what reads back from a file is the same row."""
    first, second = (score_case("c", *scene(), ORGANS, SPACING, "mm", 1.0) for _ in range(2))
    assert first == second
    assert len({*first, *second}) == 4
    absent = first[3]
    assert absent == replace(absent, hd95=float("nan"))
    assert absent != replace(absent, case_id="d")
    assert absent != "absent"


@pytest.mark.parametrize(
    ("counts", "status"),
    [((1, 0, 0), "ok"), ((0, 1, 1), "ok"), ((0, 0, 1), "missed"), ((0, 1, 0), "spurious"), ((0, 0, 0), "absent")],
)
def test_status_of_counts(counts: tuple[int, int, int], status: str) -> None:
    assert status_of(*counts) == status


def test_distances_in_voxels_are_those_of_a_spacing_of_one() -> None:
    mask, label = scene()
    for spacing in ((1.0,) * mask.ndim, (2.5,) * mask.ndim, tuple(np.linspace(0.7, 5.0, mask.ndim))):
        rows = score_case("a", mask, label, ORGANS, spacing, "mm", 2.0)
        for row, one in zip(rows, score_case("a", mask, label, ORGANS, (1.0,) * mask.ndim, "mm", 2.0), strict=True):
            due = (one.hd95, one.hd95_pooled)
            assert (row.hd95_voxels, row.hd95_pooled_voxels) == pytest.approx(due, nan_ok=True)


def test_queries_change_the_hash_of_the_cases_and_empty_queries_do_not() -> None:
    rows = [one_row(), one_row(case_id="b")]
    before = hashlib.sha256(b"a\nb").hexdigest()  # as computed before rows had queries
    assert cases_hash(rows) == cases_hash(rows[::-1]) == before
    assert cases_hash([one_row(query="left"), one_row(case_id="b")]) != before
    assert cases_hash([one_row(query="left")]) != cases_hash([one_row(query="right")])


def test_a_row_without_a_number_of_its_class_is_the_first() -> None:
    metrics: dict[str, Any] = {"dice": 0.5, "hd95": 2.0, "hd95_pooled": 2.0, "nsd": 0.5, "assd": 1.0}
    assert CaseScore(case_id="a", label="x", tp=1, fp=1, fn=1, unit="mm", status="ok", **metrics).index == 0


def test_masks_with_another_number_of_regions_are_refused() -> None:
    regions = LabelSpace(("a", "b"), ((1, 2), (2,)), False)
    two, three = np.ones((2, 4, 4), np.uint8), np.ones((3, 4, 4), np.uint8)
    with pytest.raises(ValueError, match="zip"):
        list(objects(two, three, regions))


def test_both_distances_in_voxels_are_those_in_mm_divided_by_the_spacing() -> None:
    truth = np.zeros((16, 16), np.uint8)
    truth[2:8, 2:8] = 1
    guess = truth.copy()
    guess[12:15, 12:15] = 1  # an island changes the two percentiles differently
    row = score_case("a", guess, truth, LabelSpace(("a",), ((1,),)), (2.0, 2.0), "mm", 1.0)[0]
    assert row.hd95 != row.hd95_pooled
    assert (row.hd95_voxels, row.hd95_pooled_voxels) == (row.hd95 / 2, row.hd95_pooled / 2)


def test_the_crop_of_two_empty_masks_has_no_voxel() -> None:
    empty = np.zeros((4, 4, 4), np.uint8)
    for one, other, shape in objects(empty, empty, LabelSpace(("a", "b"), ((1,), (2,)))):
        assert (one.size, other.size, shape) == (0, 0, (4, 4, 4))
