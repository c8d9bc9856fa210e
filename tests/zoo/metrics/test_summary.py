"""Means, checked by hand: absent objects are counted, and missed objects lower the mean."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.errors import RunError
from zoo.metrics.case_scores import CaseScore, status_of
from zoo.metrics.definitions import METRIC_KEYS, absent_values, worst_values
from zoo.metrics.scoring import score_case
from zoo.metrics.summary import summarise
from zoo.types import LabelSpace

WORST = 100.0
LAW = settings(deadline=None)  # a shared machine pauses


def row(case_id: str, label: str, tp: int, fp: int, fn: int, distance: float = 1.0, unit: str = "mm") -> CaseScore:
    """A row with the Dice of its counts and one distance; the distance of a miss is `WORST`."""
    status = status_of(tp, fp, fn)
    far = distance if status == "ok" else WORST
    known = {"dice": 2 * tp / max(2 * tp + fp + fn, 1), "hd95": far, "hd95_pooled": far / 2, "assd": far / 4}
    known["nsd"] = 0.5 * (status == "ok")
    values: dict[str, Any] = absent_values() if status == "absent" else worst_values(WORST) | known
    return CaseScore(
        case_id=case_id,
        query="",
        label=label,
        tp=tp,
        fp=fp,
        fn=fn,
        unit=unit,
        status=status,
        index={"big": 1, "small": 2}[label],
        mark="",
        **values,
    )


TABLE = [
    row("a", "big", 90, 10, 10, 2.0),  # Dice 0.9
    row("b", "big", 10, 0, 30, 4.0),  # Dice 0.4
    row("c", "big", 0, 0, 50),  # missed
    row("a", "small", 1, 0, 0, 3.0),  # Dice 1
    row("b", "small", 0, 2, 0),  # spurious
    row("c", "small", 0, 0, 0),  # absent
]


def test_means_are_those_computed_by_hand() -> None:
    found = summarise(TABLE)
    big, small = found.per_class["big"], found.per_class["small"]
    assert list(found.per_class) == ["big", "small"]
    assert big.dice == pytest.approx((0.9 + 0.4 + 0) / 3)
    assert small.dice == pytest.approx((1 + 0) / 2)  # the spurious case counts, the absent one does not
    assert found.dice == pytest.approx((1.3 / 3 + 0.5) / 2)
    assert big.dice_global == pytest.approx(200 / (200 + 10 + 90))
    assert small.dice_global == pytest.approx(2 / (2 + 2))
    assert found.dice_global == pytest.approx((2 / 3 + 1 / 2) / 2)
    assert big.hd95 == pytest.approx((2 + 4 + WORST) / 3)
    assert small.hd95 == pytest.approx((3 + WORST) / 2)
    assert found.hd95 == pytest.approx((106 / 3 + 103 / 2) / 2)
    assert found.hd95_pooled == pytest.approx((106 / 3 + 103 / 2) / 4)
    assert found.assd == pytest.approx((106 / 3 + 103 / 2) / 8)
    assert found.nsd == pytest.approx((1 / 3 + 1 / 4) / 2)


def test_counts_are_those_computed_by_hand() -> None:
    found = summarise(TABLE)
    assert (found.cases, found.scored, found.missed, found.spurious, found.absent) == (3, 5, 1, 1, 1)
    big, small = found.per_class["big"], found.per_class["small"]
    assert (big.cases, big.scored, big.missed, big.spurious, big.absent) == (3, 3, 1, 0, 0)
    assert (small.cases, small.scored, small.missed, small.spurious, small.absent) == (3, 2, 0, 1, 1)
    assert found.unit == "mm"


def test_an_absent_class_is_left_out_of_the_mean_and_counted() -> None:
    rows = [row("a", "big", 1, 1, 1), row("b", "big", 1, 1, 1), row("a", "small", 0, 0, 0), row("b", "small", 0, 0, 0)]
    found = summarise(rows)
    small = found.per_class["small"]
    assert found.dice == found.per_class["big"].dice == 0.5
    assert (small.dice, small.dice_global, small.hd95, small.hd95_pooled, small.nsd, small.assd) == (None,) * 6
    assert (small.cases, small.scored, small.absent) == (2, 0, 2)


def test_no_object_in_any_case_has_no_score() -> None:
    found = summarise([row("a", "big", 0, 0, 0)])
    assert (found.dice, found.dice_global, found.hd95, found.nsd) == (None,) * 4
    assert (found.cases, found.scored, found.absent) == (1, 0, 1)


def test_dice_and_dice_global_differ() -> None:
    """A large case done well and a small one done badly."""
    found = summarise([row("a", "big", 1000, 0, 0), row("b", "big", 1, 5, 5)])
    assert found.dice == pytest.approx((1 + 1 / 6) / 2)
    assert found.dice_global == pytest.approx(2002 / 2012)


def test_missing_every_object_gives_the_worst_means() -> None:
    labels = LabelSpace(("a", "b"), ((1,), (2,)))
    truth = np.zeros((9, 9, 5), np.uint8)
    truth[1:4, 1:4, 1:4] = 1
    truth[6:8, 6:8, 1:4] = 2
    rows = []
    for case in ("x", "y", "z"):
        rows += score_case(case, np.zeros_like(truth), truth, labels, (1.0, 1.0, 2.0), "mm", 2.0)
    found = summarise(rows)
    assert (found.dice, found.dice_global, found.nsd) == (0, 0, 0)
    assert [found.hd95, found.hd95_pooled, found.assd] == pytest.approx([math.hypot(8, 8, 8)] * 3)
    assert found.missed == 6


@LAW
@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=6), st.data())
def test_a_missed_object_improves_no_mean(counts: list[tuple[int, int, int]], data: st.DataObject) -> None:
    rows = [row(str(i), "big", *one, distance=WORST * (i + 1) / 7) for i, one in enumerate(counts)]
    found = [i for i, one in enumerate(rows) if one.status == "ok"]
    if not found:
        return
    lost = data.draw(st.sampled_from(found))
    tp, _, fn = counts[lost]
    worse = [*rows]
    worse[lost] = row(str(lost), "big", 0, 0, tp + fn)
    before, after = summarise(rows), summarise(worse)
    for name in ("dice", "nsd"):
        assert getattr(after, name) <= getattr(before, name)
    for name in ("hd95", "hd95_pooled", "assd"):
        assert getattr(after, name) >= getattr(before, name)
    assert after.missed == before.missed + 1


def test_the_order_of_rows_changes_no_bit() -> None:
    rng = np.random.default_rng(0)
    rows = [
        row(f"{i:03}", label, int(rng.integers(1, 99)), 3, 7, float(rng.random()))
        for i in range(200)
        for label in ("big", "small")
    ]
    expected = repr(summarise(rows))
    for _ in range(5):
        shuffled = [rows[i] for i in rng.permutation(len(rows))]
        assert repr(summarise(shuffled)) == expected


def test_the_mean_is_the_nearest_float_to_the_true_one() -> None:
    rows = [row(str(i), "big", 1, i, 0) for i in range(500)]
    true = sum((Fraction(one.dice) for one in rows), Fraction()) / len(rows)
    found = summarise(rows).dice
    assert found is not None
    assert abs(Fraction(found) - true) <= Fraction(math.ulp(found))


def test_mm_and_px_are_never_averaged() -> None:
    with pytest.raises(RunError, match="mm and in px"):
        summarise([row("a", "big", 1, 1, 1), row("b", "big", 1, 1, 1, unit="px")])
    assert summarise([row("b", "big", 1, 1, 1, unit="px")]).unit == "px"


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], "no scores"),
        ([TABLE[0], TABLE[0]], "two scores of 'big'"),
        (TABLE[:-1], "1 of 3 cases have no score of 'small', the first is 'c'"),
    ],
)
def test_an_incomplete_table_has_no_mean(rows: list[CaseScore], message: str) -> None:
    with pytest.raises(RunError, match=message):
        summarise(rows)


def test_every_score_of_a_row_has_a_mean() -> None:
    assert all(hasattr(summarise(TABLE), name) for name in METRIC_KEYS)


def test_a_query_may_be_about_some_classes_but_an_ordinary_case_is_about_all() -> None:
    queries = [replace(row("a", "big", 1, 0, 0), query="one"), replace(row("a", "small", 1, 0, 0), query="two")]
    assert summarise(queries).cases == 2
    assert summarise(queries).per_class["big"].cases == 1
    with pytest.raises(RunError, match="no score of 'small'"):
        summarise([row("a", "big", 1, 0, 0), row("b", "big", 1, 0, 0), row("b", "small", 1, 0, 0)])
