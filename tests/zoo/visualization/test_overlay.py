"""Outlines follow the edges of a mask exactly, and what is drawn is told apart with and without colour."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageColor
from scipy import ndimage

from zoo.visualization.overlay import COLOURS, class_colours, dashes, facing, outlines, overlay, to_bytes


def masks() -> st.SearchStrategy[NDArray[np.bool_]]:
    sides = st.tuples(st.integers(1, 9), st.integers(1, 9))
    return sides.flatmap(
        lambda side: st.lists(st.booleans(), min_size=side[0] * side[1], max_size=side[0] * side[1]).map(
            lambda bits: np.array(bits).reshape(side)
        )
    )


def area(line: NDArray[np.float64]) -> float:
    """Signed, by Gauss's formula; a hole's is of the other sign."""
    x, y = line.T
    return float((x[:-1] * y[1:] - x[1:] * y[:-1]).sum() / 2)


@given(masks())
def test_the_outlines_enclose_the_mask_and_are_as_long_as_its_border(mask: NDArray[np.bool_]) -> None:
    lines = outlines(mask)
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


def test_an_empty_and_a_full_mask() -> None:
    assert outlines(np.zeros((3, 4), bool)) == []
    (line,) = outlines(np.ones((3, 4), bool))
    assert area(line) == 12
    assert line.max(axis=0).tolist() == [4, 3], "x runs over the columns"


def test_dashes_are_every_other_half_period() -> None:
    line = np.array([[0.0, 0.0], [10.0, 0.0], [10.0, 10.0]])
    parts = list(dashes(line, 8))
    assert [part[0].tolist() for part in parts] == [[0, 0], [8, 0], [10, 6]]
    assert [part[-1].tolist() for part in parts] == [[4, 0], [10, 2], [10, 10]]
    assert [len(part) for part in parts] == [2, 3, 2], "a dash bends where the line does"


def test_colours_of_fourteen_classes_differ() -> None:
    assert class_colours(1) == [(COLOURS[0], COLOURS[1])]
    many = class_colours(14)
    assert len({truth for truth, _ in many}) == 14
    assert all(truth == prediction for truth, prediction in many)


def pixels(picture: Image.Image, colour: str) -> NDArray[np.bool_]:
    array = np.asarray(picture.convert("RGB"))
    return np.asarray((array == ImageColor.getrgb(colour)).all(axis=2))


@pytest.mark.parametrize("channels", [1, 3])
def test_truth_and_prediction_are_drawn_where_they_are(channels: int) -> None:
    image = np.full((channels, 16, 32), 100, np.uint8)
    truth, prediction = np.zeros((2, 1, 16, 32), bool)
    truth[0, 4:12, 4:12] = True
    prediction[0, 4:12, 20:28] = True
    picture = overlay(image, truth, prediction, (16, 32), 320)
    assert picture.size == (320, 160)
    blue, amber, black = (pixels(picture, colour) for colour in (COLOURS[0], COLOURS[1], "#000000"))
    for drawn, left in ((blue, 40), (amber, 200), (black, 200)):
        rows, columns = np.nonzero(drawn)
        assert abs(rows.min() - 40) <= 3
        assert abs(rows.max() - 120) <= 3
        assert abs(columns.min() - left) <= 6
        assert abs(columns.max() - left - 80) <= 6
    assert blue.sum() > 2 * amber.sum(), "a band, and a thin line"
    assert 0.5 < amber.sum() / black.sum() < 2, "as much dash as gap: told apart without colour"


def test_agreement_shows_both_lines() -> None:
    mask = np.zeros((1, 16, 16), bool)
    mask[0, 4:12, 4:12] = True
    picture = overlay(np.zeros((1, 16, 16), np.uint8) + 90, mask, mask, (16, 16), 160)
    assert all(pixels(picture, colour).sum() > 100 for colour in (*COLOURS[:2], "#000000"))


def test_an_anisotropic_plane_keeps_its_aspect_ratio() -> None:
    empty = np.zeros((1, 10, 50), bool)
    assert overlay(np.zeros((1, 10, 50), np.uint8), empty, empty, (50.0, 40.0), 100).size == (80, 100)


def test_a_plane_faces_the_viewer_as_radiologists_do() -> None:
    plane = np.zeros((5, 3))
    plane[4, 2] = 1  # the patient's right, at the front
    assert facing(plane).shape == (3, 5)
    assert facing(plane)[0, 0] == 1


def test_bytes_span_the_middle_of_the_intensities() -> None:
    image: NDArray[Any] = np.linspace(0, 1, 10_000, dtype=np.float32).reshape(1, 100, 100)
    image[0, 0, 0] = 1e6
    found = to_bytes(image)
    assert (found.min(), found.max()) == (0, 255)
    assert abs(int(found[0, 50, 0]) - 128) < 3, "one hot pixel does not darken the rest"
    assert not to_bytes(np.ones((1, 2, 2), np.float32)).any()
