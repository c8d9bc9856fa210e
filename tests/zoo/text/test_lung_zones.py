"""Lung zones out of captions, in the wordings of QaTa-COV19, MosMedData+ and the chest phantom."""

from __future__ import annotations

import pytest

from zoo.text.lung_zones import ZONES, zone_bits


def named(*zones: tuple[str, str]) -> tuple[int, ...]:
    """The bits of some zones."""
    return tuple(int(zone in zones) for zone in ZONES)


LEFT = (("left", "upper"), ("left", "middle"), ("left", "lower"))


@pytest.mark.parametrize(
    ("caption", "bits"),
    [
        (
            "Bilateral pulmonary infection, two infected areas, all left lung and middle lower right lung.",
            named(*LEFT, ("right", "middle"), ("right", "lower")),
        ),
        ("Unilateral pulmonary infection, one infected area, upper left lung.", named(("left", "upper"))),
        (
            "Bilateral pulmonary infection, three infected areas, upper lower left lung and upper right lung.",
            named(("left", "upper"), ("left", "lower"), ("right", "upper")),
        ),
        # A level has got lost, as in some captions of MosMedData+: the whole side.
        (
            "Unilateral pulmonary infection, two infected areas, left lung and middle right lung..",
            named(*LEFT, ("right", "middle")),
        ),
        (
            "Target lesions in the left upper zone and the right lower zone.",
            named(("left", "upper"), ("right", "lower")),
        ),
        (
            "Opacity in the left lower lobe and the right middle and lower lung zones.",
            named(("left", "lower"), ("right", "middle"), ("right", "lower")),
        ),
        ("Consolidation of both lower lungs.", named(("left", "lower"), ("right", "lower"))),
        ("No pulmonary infection, zero infected areas.", named()),
        ("One medium polyp on the bottom left.", named()),
        ("", named()),
    ],
)
def test_zone_words(caption: str, bits: tuple[int, ...]) -> None:
    assert zone_bits(caption) == bits
