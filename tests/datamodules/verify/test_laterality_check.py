"""Sides in captions compared with the side of the mask."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from datamodules.verify.laterality_check import find_contradiction
from tests.helpers.data_cards import data_card

IMAGE = data_card(laterality="image", track="mask-derived")


def mask(left: int, right: int, width: int = 20) -> np.ndarray:
    """[10, width] with `left` pixels on the left side and `right` pixels on the right side."""
    flat = np.zeros((10, width), bool)
    flat[:, 0].flat[:left] = True
    flat[:, -1].flat[:right] = True
    return flat


@pytest.mark.parametrize(
    ("report", "left", "right", "wrong"),
    [
        ("Lower left lung.", 10, 0, False),
        ("Lower left lung.", 0, 10, True),
        ("Lower right lung.", 10, 0, True),
        ("LEFT-sided opacity", 0, 10, True),
        ("Lower left lung.", 2, 8, False),  # accepted: a part of the mask is there
        ("Left and right lung.", 0, 10, False),  # both sides are named: which one is meant is not known
        ("Bilateral, left and right lung.", 0, 10, True),
        ("Bilateral, left and right lung.", 1, 9, False),
        ("Bilateral infection.", 10, 0, True),
        ("A spot in the cleft, upright.", 0, 10, False),
        ("No side.", 0, 10, False),
        ("Left lung.", 0, 0, False),
    ],
)
def test_a_caption_that_names_the_wrong_side_is_found(report: str, left: int, right: int, wrong: bool) -> None:
    assert bool(find_contradiction(report, mask(left, right), IMAGE)) is wrong
    swapped = replace(IMAGE, laterality="patient")
    assert bool(find_contradiction(report, mask(right, left), swapped)) is wrong
    assert find_contradiction(report, mask(left, right), replace(IMAGE, laterality="")) == ""


def test_a_middle_column_is_on_neither_side() -> None:
    middle = np.zeros((4, 5), bool)
    middle[:, 2] = True
    assert find_contradiction("Left lung.", middle, IMAGE) == ""
    assert find_contradiction("Bilateral.", middle, IMAGE) == ""


def test_in_a_volume_left_is_the_left_of_the_patient() -> None:
    """In RAS order the first axis points to the right, so that the left of the patient comes first."""
    card = data_card(spatial_dims=3, laterality="patient", track="mask-derived")
    volume = np.zeros((8, 4, 4), bool)
    volume[:2] = True
    assert find_contradiction("Right kidney.", volume, card)
    assert find_contradiction("Left kidney.", volume, card) == ""
    assert (
        find_contradiction("Right kidney.", volume, replace(card, track="report")) == ""
    )  # such a report may describe other findings
    assert find_contradiction("Right kidney.", volume, replace(card, laterality="image")) == ""
