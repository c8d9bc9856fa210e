"""Dice by the size of the object, against cases that were computed by hand."""

from __future__ import annotations

from typing import Any

import pytest

from zoo.metrics.case_scores import CaseScore, status_of
from zoo.metrics.definitions import dice_of_counts
from zoo.metrics.size_terciles import SizeDice, dice_by_size, size_thresholds


def score(case: str, tp: int, fp: int, fn: int, label: str = "x", index: int = 1) -> CaseScore:
    """Return a row whose distances do not matter."""
    status = status_of(tp, fp, fn)
    other = float("nan") if status == "absent" else 0.0
    dice = other if status == "absent" else dice_of_counts(tp, fp, fn)
    metrics: dict[str, Any] = {"hd95": other, "hd95_pooled": other, "nsd": other, "assd": other}
    return CaseScore(
        case_id=case, label=label, tp=tp, fp=fp, fn=fn, dice=dice, unit="mm", status=status, index=index, **metrics
    )


BY_HAND = [
    score("a", 1, 0, 1),  # size 2, Dice 2/3
    score("b", 0, 5, 3),  # size 3, missed: 0
    score("c", 4, 0, 0),  # size 4, Dice 1
    score("d", 3, 0, 3),  # size 6, Dice 2/3
    score("e", 10, 10, 0),  # size 10, Dice 2/3
    score("f", 15, 0, 5),  # size 20, Dice 6/7
    score("g", 40, 0, 0),  # size 40, Dice 1
]


def test_seven_cases_by_hand() -> None:
    # ranks ceil(7 / 3) = 3 and ceil(14 / 3) = 5: the thresholds are the sizes 4 and 10
    assert size_thresholds([2, 3, 4, 6, 10, 20, 40]) == (4, 10)
    overall, per_class = dice_by_size(BY_HAND)
    assert overall == per_class["x"]
    assert overall.small == pytest.approx((2 / 3 + 0 + 1) / 3)
    assert overall.medium == pytest.approx((2 / 3 + 2 / 3) / 2)
    assert overall.large == pytest.approx((6 / 7 + 1) / 2)


def test_the_order_of_the_rows_changes_nothing() -> None:
    assert dice_by_size(BY_HAND[::-1]) == dice_by_size(BY_HAND)


def test_empty_references_have_no_size_and_are_left_out() -> None:
    empty = [score("spurious", 0, 9, 0), score("absent", 0, 0, 0)]
    assert dice_by_size([*BY_HAND, *empty]) == dice_by_size(BY_HAND)
    assert dice_by_size(empty)[0] == SizeDice(None, None, None)


def test_objects_of_equal_size_are_in_the_lower_third_together() -> None:
    rows = [score(f"c{i}", size - 1, 0, 1) for i, size in enumerate([5, 5, 5, 5, 9, 9])]
    overall, _ = dice_by_size(rows)  # thresholds: ranks 2 and 4, the size 5 twice
    assert overall.small == pytest.approx(8 / 9)
    assert overall.medium is None
    assert overall.large == pytest.approx(16 / 17)
    same, _ = dice_by_size([score(f"c{i}", 4, 0, 1) for i in range(4)])
    assert same == SizeDice(same.small, None, None)
    assert same.small == pytest.approx(8 / 9)


@pytest.mark.parametrize("count", [0, 1, 2])
def test_fewer_than_three_objects_have_no_thirds(count: int) -> None:
    assert size_thresholds([3, 8][:count]) is None
    assert dice_by_size(BY_HAND[:count])[0] == SizeDice()
    assert dice_by_size(BY_HAND[:3])[0] == pytest.approx((2 / 3, 0.0, 1.0))


def test_each_class_has_its_own_thresholds_and_the_mean_is_over_the_classes() -> None:
    large = [score(f"c{i}", 100 * i, 0, 100 * i, "y", 2) for i in (1, 2, 3)]  # every Dice is 2/3
    few = [score(f"c{i}", 1, 0, 0, "z", 3) for i in (1, 2)]
    overall, per_class = dice_by_size([*BY_HAND, *large, *few])
    assert list(per_class) == ["x", "y", "z"]
    assert per_class["z"] == SizeDice()
    assert overall.large == pytest.approx((13 / 14 + 2 / 3) / 2)
