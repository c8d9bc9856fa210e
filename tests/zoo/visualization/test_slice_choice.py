"""The chosen plane of a case, at the same position in image and masks, with all of the truth."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from zoo.types import Geometry
from zoo.visualization.slice_choice import Plane, choose_plane, extract_plane

SHAPE = (8, 10, 12)


def geometry(spacing: tuple[float, ...] = (1.0, 1.0, 1.0), crop: tuple[tuple[int, int], ...] | None = None) -> Geometry:
    return Geometry(None, SHAPE, crop or tuple((0, n) for n in SHAPE), spacing, "mm")


def empty() -> NDArray[np.uint8]:
    return np.zeros(SHAPE, np.uint8)


def test_the_slice_with_the_most_truth_is_chosen() -> None:
    truth, prediction = empty(), empty()
    truth[2:4, 2:4, 5] = 1
    truth[2:5, 2:5, 7] = 2  # any class counts
    prediction[:, :, 1] = 1
    assert choose_plane(truth, prediction, geometry()) == Plane(2, 7)
    assert choose_plane(empty(), prediction, geometry()) == Plane(2, 1), (
        "without truth, the slice with the most prediction"
    )
    assert choose_plane(empty(), empty(), geometry()) == Plane(2, 6), "without both, the middle slice"


def test_overlapping_regions_are_counted_together() -> None:
    truth = np.zeros((2, *SHAPE), np.uint8)
    truth[0, :2, :2, 3] = 1
    truth[1, :2, :3, 4] = 1
    assert choose_plane(truth, np.zeros_like(truth), geometry()) == Plane(2, 4)


@pytest.mark.parametrize(
    ("spacing", "axis"), [((1, 1, 1), 2), ((1.2, 1, 1), 2), ((4, 1, 1), 0), ((1, 3, 1), 1), ((1, 1, 5), 2)]
)
def test_the_plane_is_perpendicular_to_the_longest_voxel_axis(spacing: tuple[float, ...], axis: int) -> None:
    found = choose_plane(empty() + 1, empty(), geometry(spacing))
    assert found is not None
    assert found.axis == axis


def test_a_2d_image_is_shown_completely() -> None:
    flat = Geometry(None, (4, 6), ((0, 4), (0, 6)), (1.0, 1.0), "px")
    mask = np.zeros((4, 6), np.uint8)
    mask[1, 2] = 1
    assert choose_plane(mask, mask, flat) is None
    arrays = extract_plane(np.ones((1, 2, 3), np.float32), mask, 1 - mask, flat, None)
    assert (arrays["truth"] == mask).all()
    assert (arrays["prediction"] == 1 - mask).all()
    assert arrays["image"].shape == (1, 2, 3), "on the grid of the network: it is resized when it is drawn"
    assert arrays["extent"].tolist() == [4, 6]


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_image_and_masks_have_the_same_position(axis: int) -> None:
    """A voxel that is bright, true and predicted is one pixel in the picture, for each axis."""
    spacing = (1.0, 2.0, 3.0)
    image = np.zeros((1, *SHAPE), np.float32)
    mask = empty()
    voxel = (6, 7, 8)
    image[(0, *voxel)] = mask[voxel] = 1
    where = geometry(spacing)
    plane = Plane(axis, voxel[axis])
    pixels = np.take(image, plane.on_network(where, SHAPE[axis]), axis=1 + axis)
    arrays = extract_plane(pixels, mask, mask, where, plane)
    assert np.argwhere(arrays["image"][0]).tolist() == np.argwhere(arrays["truth"]).tolist()
    left = [n for a, n in enumerate(SHAPE) if a != axis]
    steps = [step for a, step in enumerate(spacing) if a != axis]
    assert arrays["truth"].shape == tuple(left[::-1])
    assert arrays["extent"].tolist() == [left[1] * steps[1], left[0] * steps[0]]


def test_the_nearest_slice_of_a_coarser_grid_is_used() -> None:
    where = geometry(crop=((0, 8), (0, 10), (4, 12)))
    assert [Plane(2, index).on_network(where, 4) for index in (0, 4, 5, 6, 11)] == [0, 0, 0, 1, 3]


def test_truth_outside_of_the_crop_is_shown() -> None:
    where = geometry(crop=((2, 6), (2, 8), (0, 12)))
    truth = empty()
    truth[0, 9, 3] = 1  # outside of the crop on two axes
    arrays = extract_plane(np.ones((1, 8, 12), np.float32), truth, empty(), where, Plane(2, 3))
    assert arrays["truth"].sum() == 1
    assert arrays["truth"].shape == (8, 6), "columns from 0 to 6, rows from 2 to 10"
    assert arrays["image"].shape == (1, 16, 12), "padded at two pixels of the network per voxel"
    assert arrays["extent"].tolist() == [8, 6]
