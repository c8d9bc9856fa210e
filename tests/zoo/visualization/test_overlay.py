"""Truth and prediction are where they belong in a picture, and differ with and without colour."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageColor

from zoo.visualization.outline import COLOURS, class_colours
from zoo.visualization.overlay import draw_overlay, scale_to_bytes, turn_to_viewer


def pixels(picture: Image.Image, colour: str) -> NDArray[np.bool_]:
    array = np.asarray(picture.convert("RGB"))
    return np.asarray((array == ImageColor.getrgb(colour)).all(axis=2))


@pytest.mark.parametrize("channels", [1, 3])
def test_truth_and_prediction_are_drawn_where_they_are(channels: int) -> None:
    image = np.full((channels, 16, 32), 100, np.uint8)
    truth, prediction = np.zeros((2, 1, 16, 32), bool)
    truth[0, 4:12, 4:12] = True
    prediction[0, 4:12, 20:28] = True
    picture = draw_overlay(image, truth, prediction, (16, 32), 320)
    assert picture.size == (320, 160)
    blue, amber, black = (pixels(picture, colour) for colour in (COLOURS[0], COLOURS[1], "#000000"))
    for drawn, left in ((blue, 40), (amber, 200), (black, 200)):
        rows, columns = np.nonzero(drawn)
        assert abs(rows.min() - 40) <= 3
        assert abs(rows.max() - 120) <= 3
        assert abs(columns.min() - left) <= 6
        assert abs(columns.max() - left - 80) <= 6
    assert blue.sum() > 2 * amber.sum(), "a band and a thin line"
    assert 0.5 < amber.sum() / black.sum() < 2, "dashes and gaps have the same length, so that no colour is needed"


def test_where_truth_and_prediction_agree_both_lines_are_visible() -> None:
    mask = np.zeros((1, 16, 16), bool)
    mask[0, 4:12, 4:12] = True
    picture = draw_overlay(np.zeros((1, 16, 16), np.uint8) + 90, mask, mask, (16, 16), 160)
    assert all(pixels(picture, colour).sum() > 100 for colour in (*COLOURS[:2], "#000000"))


def test_more_classes_than_half_a_palette_are_drawn_in_the_colours_that_they_share() -> None:
    masks = np.zeros((120, 16, 16), bool)
    masks[0, 2:6, 2:6] = masks[119, 9:13, 9:13] = True  # 119 has a lighter tint of the first colour
    picture = draw_overlay(np.full((1, 16, 16), 90, np.uint8), masks, masks, (16, 16), 160)
    assert pixels(picture, COLOURS[0])[:80, :80].sum() > 100
    assert pixels(picture, COLOURS[0])[80:, 80:].sum() == 0
    assert pixels(picture, class_colours(120)[119][0])[80:, 80:].sum() > 100


def test_an_anisotropic_plane_keeps_its_aspect_ratio() -> None:
    empty = np.zeros((1, 10, 50), bool)
    assert draw_overlay(np.zeros((1, 10, 50), np.uint8), empty, empty, (50.0, 40.0), 100).size == (80, 100)


def test_a_plane_is_turned_to_radiological_orientation() -> None:
    plane = np.zeros((5, 3))
    plane[4, 2] = 1  # the right of the patient, at the front
    assert turn_to_viewer(plane).shape == (3, 5)
    assert turn_to_viewer(plane)[0, 0] == 1


def test_bytes_span_the_middle_of_the_intensities() -> None:
    image: NDArray[Any] = np.linspace(0, 1, 10_000, dtype=np.float32).reshape(1, 100, 100)
    image[0, 0, 0] = 1e6
    found = scale_to_bytes(image)
    assert (found.min(), found.max()) == (0, 255)
    assert abs(int(found[0, 50, 0]) - 128) < 3, "one very bright pixel does not darken the others"
    assert not scale_to_bytes(np.ones((1, 2, 2), np.float32)).any()
