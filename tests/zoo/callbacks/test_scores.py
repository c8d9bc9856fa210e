"""Each case and class is scored exactly once; a case that is scored twice, partly or not at all ends the test."""

from __future__ import annotations

import pytest

from tests.helpers.sample_rows import row
from zoo.callbacks.scores import check_once
from zoo.errors import RunError

ROWS = [row(case, label, 0.5) for case in ("a", "b") for label in ("liver", "spleen")]


def test_each_case_and_class_once_is_accepted() -> None:
    check_once(ROWS, 2)
    check_once(ROWS, None)


@pytest.mark.parametrize("times", [2, 3])
def test_case_that_is_scored_more_than_once_fails(times: int) -> None:
    """Two ranks that score the same case would count it twice in the mean."""
    with pytest.raises(RunError, match="Case 'a' was scored more than once"):
        check_once([*ROWS, *ROWS[:2] * (times - 1)], 2)


def test_a_row_that_occurs_twice_fails() -> None:
    with pytest.raises(RunError, match=r"Case 'a' was scored more than once \(1 such rows\)"):
        check_once([*ROWS, ROWS[0]], None)


def test_case_that_is_left_out_fails() -> None:
    with pytest.raises(RunError, match="2 cases were scored"):
        check_once(ROWS, 3)


def test_case_with_fewer_classes_than_others_fails() -> None:
    with pytest.raises(RunError, match="Case 'b' has 1 rows"):
        check_once(ROWS[:-1], 2)
