"""Parameters of the preset "full": nnU-Net's probabilities and ranges, small angles with a report, and margins."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
from scipy.stats import kstest

from datamodules.augment import margin
from datamodules.augment import params as module
from datamodules.augment.params import AugmentParams, changed_axes, draw_params, largest_angle
from datamodules.loading.samplers import generator

N = 2000
CUBE = (96, 96, 96)


def draw_many(
    patch: Sequence[int] = CUBE,
    channels: int = 2,
    flips: Sequence[int] = (),
    spacing: Sequence[float] | None = None,
    *,
    has_report: bool = False,
    elastic: bool = False,
) -> list[AugmentParams]:
    mm = spacing or [1.0] * len(patch)
    return [
        draw_params(generator(0, n, 2), channels, patch, mm, flips, has_report=has_report, elastic=elastic)
        for n in range(N)
    ]


@pytest.fixture(scope="module")
def cube() -> list[AugmentParams]:
    return draw_many(flips=(0, 2))


def is_as_frequent(hits: Sequence[bool], chance: float) -> bool:
    """Return whether a share is within four standard errors of its probability."""
    return abs(float(np.mean(hits)) - chance) < 4 * math.sqrt(chance * (1 - chance) / len(hits))


def test_each_transform_has_the_probability_of_nnunet(cube: list[AugmentParams]) -> None:
    assert is_as_frequent([draw.matrix is not None for draw in cube], 1 - 0.8 * 0.8)
    assert is_as_frequent([draw.noise[0] > 0 for draw in cube], 0.1)
    assert is_as_frequent([bool((draw.blur > 0).any()) for draw in cube], 0.2 * 0.75)
    assert is_as_frequent([draw.blur[0, 0] > 0 for draw in cube], 0.2 * 0.5)
    assert is_as_frequent([draw.brightness[0] != 1 for draw in cube], 0.15)
    assert is_as_frequent([draw.contrast[1] != 1 for draw in cube], 0.15)
    assert is_as_frequent([draw.shrink[0] != 1 for draw in cube], 0.25 * 0.5)
    assert is_as_frequent([draw.inverted[0] != 1 for draw in cube], 0.1)
    assert is_as_frequent([draw.gamma[0] != 1 for draw in cube], 0.3)
    for axis, chance in ((0, 0.5), (2, 0.5)):
        assert is_as_frequent([axis in draw.flips for draw in cube], chance)
    assert not any(1 in draw.flips for draw in cube)
    assert all(draw.control is None for draw in cube)


def scale_of(draw: AugmentParams) -> float:
    assert draw.matrix is not None
    return float(np.cbrt(np.linalg.det(draw.matrix)))


def is_uniform(values: Sequence[float], low: float, high: float) -> bool:
    """Return whether all values are in a range and uniformly distributed."""
    inside = low <= min(values) and max(values) <= high
    return inside and bool(kstest(values, "uniform", args=(low, high - low)).pvalue > 1e-3)


def test_each_range_is_that_of_nnunet(cube: list[AugmentParams]) -> None:
    turned = [draw for draw in cube if draw.matrix is not None]
    scales = [scale_of(draw) for draw in turned]
    grown = [scale for scale in scales if abs(scale - 1) > 1e-9]
    assert is_as_frequent([abs(scale - 1) > 1e-9 for scale in scales], 0.2 / 0.36)
    assert is_uniform(grown, 0.7, 1.4)
    assert is_uniform([draw.noise[0] for draw in cube if draw.noise[0]], 0, 0.1)
    assert is_uniform([s for draw in cube for s in draw.blur.flatten().tolist() if s], 0.5, 1)
    assert is_uniform([s for draw in cube for s in draw.shrink.tolist() if s != 1], 0.5, 1)
    for name, low, high in (
        ("brightness", 0.75, 1.25),
        ("contrast", 0.75, 1.25),
        ("inverted", 0.7, 1.5),
        ("gamma", 0.7, 1.5),
    ):
        factors = [factor for draw in cube for factor in getattr(draw, name).tolist() if factor != 1]
        assert is_uniform([f for f in factors if f < 1], low, 1)
        assert is_uniform([f for f in factors if f > 1], 1, high)
        assert is_as_frequent([f < 1 for f in factors], 0.5)


def test_rotations_are_no_mirrors_and_their_angles_are_uniform(cube: list[AugmentParams]) -> None:
    pure = [draw.matrix / scale_of(draw) for draw in cube if draw.matrix is not None]
    for matrix in pure:
        assert np.allclose(matrix @ matrix.T, np.eye(3))
        assert np.linalg.det(matrix) > 0  # never a mirror
    # the product rotates in the planes (0, 1), (0, 2), (1, 2); its first column and last row contain the angles
    turned = [matrix for matrix in pure if not np.allclose(matrix, np.eye(3))]
    assert is_uniform([math.degrees(math.asin(matrix[2, 0])) for matrix in turned], -30, 30)
    assert is_uniform([math.degrees(math.atan2(matrix[1, 0], matrix[0, 0])) for matrix in turned], -30, 30)
    assert is_uniform([math.degrees(math.atan2(matrix[2, 1], matrix[2, 2])) for matrix in turned], -30, 30)


def test_a_rotation_preserves_angles_in_mm() -> None:
    mm = np.diag([1.0, 1.0, 2.5])
    for draw in draw_many((64, 64, 64), spacing=(1.0, 1.0, 2.5)):
        if draw.matrix is not None:
            physical = mm @ draw.matrix @ np.linalg.inv(mm)
            assert np.allclose(physical @ physical.T, scale_of(draw) ** 2 * np.eye(3))


def test_thick_slices_are_rotated_and_scaled_only_in_their_plane() -> None:
    patch = (160, 16, 160)
    assert changed_axes(patch) == (0, 2)
    seen = [draw for draw in draw_many(patch, elastic=True) if draw.matrix is not None or draw.control is not None]
    for draw in seen:
        if draw.matrix is not None:
            assert np.allclose(draw.matrix[1], [0, 1, 0])
            assert np.allclose(draw.matrix[:, 1], [0, 1, 0])
        assert draw.control is None or not draw.control[1].any()
        assert draw.planes == (0, 2)
    angles = [math.atan2(draw.matrix[2, 0], draw.matrix[0, 0]) for draw in seen if draw.matrix is not None]
    assert is_uniform([angle for angle in angles if abs(angle) > 1e-9], -math.pi, math.pi)


@pytest.mark.parametrize(
    ("patch", "has_report", "degrees"),
    [
        ((128, 128), False, 180),
        ((128, 128), True, 15),
        ((256, 128), False, 15),
        ((160, 160, 16), False, 180),
        ((160, 160, 16), True, 15),
        (CUBE, False, 30),
        (CUBE, True, 30),
    ],
)
def test_rotations_are_small_where_a_report_names_positions(
    patch: tuple[int, ...], has_report: bool, degrees: float
) -> None:
    assert math.degrees(largest_angle(patch, has_report)) == pytest.approx(degrees)
    matrices = [draw.matrix for draw in draw_many(patch, has_report=has_report) if draw.matrix is not None]
    angles = [abs(math.degrees(math.atan2(matrix[1, 0], matrix[1, 1]))) for matrix in matrices]
    # a cube is rotated in three planes, which adds up in this measurement of one angle
    assert degrees * 0.95 < max(angles) <= (40 if degrees == 30 else degrees + 1e-9)


def test_a_tenth_is_deformed_elastically_without_folds() -> None:
    seen = draw_many(elastic=True)
    assert is_as_frequent([draw.control is not None for draw in seen], module.BEND)
    largest = [np.abs(draw.control).max() / (96 / 3) for draw in seen if draw.control is not None]
    assert max(largest) <= 0.3
    assert max(largest) > 0.25


def test_margins_are_those_of_nnunet() -> None:
    assert margin("full", CUBE) == (29, 29, 29)  # nnU-Net cuts 154 for 96
    assert margin("elastic", CUBE) == margin("full", CUBE)
    assert margin("full", (160, 160, 16)) == (14, 14, 0)
    assert margin("full", (224, 224)) == (0, 0)  # a resized image has no voxels outside of the patch
    assert margin("light", CUBE) == margin("none", CUBE) == (0, 0, 0)
