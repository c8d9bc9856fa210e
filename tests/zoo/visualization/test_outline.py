"""Outlines follow the edges of a mask exactly."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import ndimage

from zoo.visualization.outline import COLOURS, class_colours, split_into_dashes, trace_outlines


def masks() -> st.SearchStrategy[NDArray[np.bool_]]:
    sides = st.tuples(st.integers(1, 9), st.integers(1, 9))
    return sides.flatmap(
        lambda side: st.lists(st.booleans(), min_size=side[0] * side[1], max_size=side[0] * side[1]).map(
            lambda bits: np.array(bits).reshape(side)
        )
    )


def area(line: NDArray[np.float64]) -> float:
    """The signed area by Gauss's formula; a hole has the other sign."""
    x, y = line.T
    return float((x[:-1] * y[1:] - x[1:] * y[:-1]).sum() / 2)


@given(masks())
def test_the_outlines_enclose_the_mask_and_are_as_long_as_its_border(mask: NDArray[np.bool_]) -> None:
    lines = trace_outlines(mask)
    assert sum(area(line) for line in lines) == mask.sum()
    padded = np.pad(mask, 1)
    border = sum(int((padded != np.roll(padded, 1, axis)).sum()) for axis in (0, 1))
    assert sum(np.abs(np.diff(line, axis=0)).sum() for line in lines) == border
    for line in lines:
        assert (line[0] == line[-1]).all()
        assert (np.abs(np.diff(line, axis=0)).sum(axis=1) == 1).all(), "along the edges of pixels"
    holes = ndimage.label(~padded)[1] - 1  # of four-connected background
    assert len(lines) >= (ndimage.label(mask, np.ones((3, 3)))[1] if mask.any() else 0)
    assert sum(area(line) < 0 for line in lines) <= max(holes, 0)


def test_an_empty_mask_has_no_outline_and_a_full_mask_has_one() -> None:
    assert trace_outlines(np.zeros((3, 4), bool)) == []
    (line,) = trace_outlines(np.ones((3, 4), bool))
    assert area(line) == 12
    assert line.max(axis=0).tolist() == [4, 3], "x runs over the columns"


def test_dashes_are_every_other_half_period() -> None:
    line = np.array([[0.0, 0.0], [10.0, 0.0], [10.0, 10.0]])
    parts = list(split_into_dashes(line, 8))
    assert [part[0].tolist() for part in parts] == [[0, 0], [8, 0], [10, 6]]
    assert [part[-1].tolist() for part in parts] == [[4, 0], [10, 2], [10, 10]]
    assert [len(part) for part in parts] == [2, 3, 2], "a dash bends where the line does"


def test_colours_of_fourteen_classes_differ() -> None:
    assert class_colours(1) == [(COLOURS[0], COLOURS[1])]
    many = class_colours(14)
    assert len({truth for truth, _ in many}) == 14
    assert all(truth == prediction for truth, prediction in many)
