"""The check of two grids, compared with the position of every voxel, for every order of the stored axes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nibabel.orientations import apply_orientation, axcodes2ornt, inv_ornt_aff

from tests.helpers.data_sets import write_nifti
from zoo.errors import DataError
from zoo.io.image import read_image, to_ras
from zoo.io.same_grid import check_same_grid, check_same_voxels, corner_distance, list_differences
from zoo.types import Geometry

SHAPE = (7, 5, 9)


def geometry(affine: np.ndarray, shape: tuple[int, ...] = SHAPE) -> Geometry:
    return to_ras(np.zeros(shape), affine, Path("x.nii"))[1]


def rotation(angles: tuple[float, ...]) -> np.ndarray:
    x, y, z = angles
    about_x = np.array([[1, 0, 0], [0, np.cos(x), -np.sin(x)], [0, np.sin(x), np.cos(x)]])
    about_y = np.array([[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]])
    about_z = np.array([[np.cos(z), -np.sin(z), 0], [np.sin(z), np.cos(z), 0], [0, 0, 1]])
    return np.asarray(about_x @ about_y @ about_z)


def affine_of(angles: tuple[float, ...], spacing: tuple[float, ...], origin: tuple[float, ...]) -> np.ndarray:
    affine = np.eye(4)
    affine[:3, :3] = rotation(angles) * np.array(spacing)
    affine[:3, 3] = origin
    return affine


def triples(low: float, high: float) -> st.SearchStrategy[tuple[float, ...]]:
    return st.tuples(*[st.floats(low, high)] * 3)


@settings(max_examples=50, deadline=None)
@given(triples(-0.3, 0.3), triples(0.5, 4), triples(-50, 50), triples(-0.02, 0.02), triples(0.9, 1.1), triples(-2, 2))
def test_the_corner_distance_is_the_largest_distance_of_any_voxel(
    angles: tuple[float, ...],
    spacing: tuple[float, ...],
    origin: tuple[float, ...],
    turn: tuple[float, ...],
    stretch: tuple[float, ...],
    shift: tuple[float, ...],
) -> None:
    due = affine_of(angles, spacing, origin)
    moved = affine_of(tuple(np.add(angles, turn)), tuple(np.multiply(spacing, stretch)), tuple(np.add(origin, shift)))
    voxels = np.stack([*np.indices(SHAPE).reshape(3, -1), np.ones(np.prod(SHAPE))])
    off = np.linalg.inv(due) @ moved @ voxels - voxels  # shift of every voxel, in voxels of the image
    assert corner_distance(geometry(moved), geometry(due)) == pytest.approx(np.abs(off[:3]).max(), abs=1e-6)


@pytest.mark.parametrize("codes", ["LPS", "RAS", "SAL", "ASR", "PIR"])
def test_another_order_of_axes_is_the_same_grid(tmp_path: Path, codes: str) -> None:
    affine = affine_of((0.1, -0.05, 0.2), (1.0, 2.0, 1.5), (-30, 20, 5))
    array = np.random.default_rng(0).normal(size=SHAPE).astype(np.float32)
    image = nib.Nifti1Image(array, affine)
    target = axcodes2ornt(tuple(codes))
    turn = nib.orientations.ornt_transform(nib.orientations.io_orientation(affine), target)
    other = nib.Nifti1Image(apply_orientation(array, turn), affine @ inv_ornt_aff(turn, SHAPE))
    paths = [tmp_path / "image.nii.gz", tmp_path / "label.nii.gz"]
    for path, one in zip(paths, (image, other), strict=True):
        nib.save(one, path)
    found = [read_image(path)[1] for path in paths]
    assert corner_distance(found[1], found[0]) < 1e-4
    check_same_grid(paths[1], found[1], paths[0], found[0])


def test_origin_spacing_and_direction_are_reported_separately() -> None:
    due = geometry(np.diag([1.0, 1.0, 2.0, 1.0]))
    moved, coarse, turned = np.diag([1.0, 1.0, 2.0, 1.0]), np.diag([1.0, 1.2, 2.0, 1.0]), np.diag([1.0, 1.0, 2.0, 1.0])
    moved[:3, 3] = (0, 3, 4)
    turned[:3, :3] = rotation((0, 0, np.radians(30))) @ turned[:3, :3]
    assert list_differences(geometry(moved), due, 0.1) == ["the origin is 5 mm off"]
    assert list_differences(geometry(coarse), due, 0.1) == ["the spacing is 1 x 1.2 x 2, not 1 x 1 x 2 mm"]
    assert list_differences(geometry(turned), due, 0.1) == ["the direction of an axis is 30 degrees off"]


def test_tolerance_counts_voxels_not_millimetres() -> None:
    for size in (0.5, 5.0):
        due, near = np.diag([size, size, size, 1.0]), np.diag([size, size, size, 1.0])
        near[0, 3] = 0.09 * size
        check_same_grid(Path("a"), geometry(near), Path("b"), geometry(due))
        near[0, 3] = 0.11 * size
        with pytest.raises(DataError, match="origin"):
            check_same_grid(Path("a"), geometry(near), Path("b"), geometry(due))


def test_pictures_are_compared_by_shape_alone() -> None:
    one, two = (Geometry(None, s, tuple((0, n) for n in s), (1.0, 1.0), "px") for s in ((4, 5), (5, 4)))
    check_same_grid(Path("a"), one, Path("b"), one)
    with pytest.raises(DataError, match=r"a: shape \(5, 4\), but \(4, 5\) in b") as caught:
        check_same_grid(Path("a"), two, Path("b"), one)
    assert caught.value.kind == "shape_mismatch"


def test_an_affine_with_two_equal_axes_is_refused(tmp_path: Path) -> None:
    affine = np.eye(4)
    affine[:3, 1] = (1, 1e-9, 0)
    path = tmp_path / "flat.nii"
    image = nib.Nifti1Image(np.zeros(SHAPE, np.float32), None)
    image.header["sform_code"] = 1
    for row, name in enumerate(("srow_x", "srow_y", "srow_z")):
        image.header[name] = affine[row]
    write_nifti(path, np.zeros(SHAPE, np.float32))
    content = bytearray(path.read_bytes())
    content[:348] = (
        image.header.binaryblock[:108] + bytes(content[108:112]) + image.header.binaryblock[112:344] + b"n+1\0"
    )
    path.write_bytes(bytes(content))
    with pytest.raises(DataError) as caught:
        read_image(path)
    assert caught.value.kind == "affine_unusable"


def test_a_shift_of_exactly_the_tolerance_is_the_same_grid() -> None:
    moved = np.eye(4)
    moved[0, 3] = 0.25
    check_same_grid(Path("a.nii"), geometry(moved), Path("b.nii"), geometry(np.eye(4)), 0.25)
    with pytest.raises(DataError, match=r"the origin is 0\.25 mm off"):
        check_same_grid(Path("a.nii"), geometry(moved), Path("b.nii"), geometry(np.eye(4)), 0.2)


def test_only_what_differs_is_listed_where_nothing_is_tolerated() -> None:
    moved = np.eye(4)
    moved[0, 3] = 0.25
    assert list_differences(geometry(moved), geometry(np.eye(4)), 0.0) == ["the origin is 0.25 mm off"]


def plain(affine: tuple[tuple[float, ...], ...] | None = None) -> Geometry:
    return Geometry(affine, SHAPE, tuple((0, n) for n in SHAPE), (1.0, 1.0, 1.0), "mm")


def test_a_grid_without_an_affine_agrees_with_every_grid_of_its_shape() -> None:
    tilted = tuple(map(tuple, affine_of((0.2, 0.0, 0.0), (1.0, 2.0, 3.0), (5.0, 6.0, 7.0)).tolist()))
    for one, other in ((plain(), plain(tilted)), (plain(tilted), plain()), (plain(), plain())):
        check_same_grid(Path("a"), one, Path("b"), other)


def test_voxels_are_used_with_a_warning_where_only_the_place_differs(caplog: pytest.LogCaptureFixture) -> None:
    due = geometry(affine_of((0, 0, 0), (1, 1, 1), (0, 0, 0)))
    check_same_voxels(Path("a"), due, Path("b"), due)
    assert caplog.text == ""
    check_same_voxels(Path("a"), geometry(affine_of((0, 0, 0), (1, 1, 1), (9, 0, 0))), Path("b"), due)
    assert "The voxels are used as they are stored" in caplog.text


def test_voxels_with_other_axes_or_another_shape_are_refused() -> None:
    due = geometry(affine_of((0, 0, 0), (1, 1, 1), (0, 0, 0)))
    with pytest.raises(DataError, match="the affine is not that of b"):
        check_same_voxels(Path("a"), geometry(np.diag([-1.0, 1, 1, 1])), Path("b"), due)
    with pytest.raises(DataError, match="a: shape"):
        check_same_voxels(Path("a"), geometry(np.eye(4), (7, 5, 8)), Path("b"), due)
    short = replace(due, shape=(7, 5, 8), crop=((0, 7), (0, 5), (0, 8)))
    with pytest.raises(DataError, match="a: shape"):
        check_same_voxels(Path("a"), short, Path("b"), due)


def test_differences_are_named_with_their_size() -> None:
    due = affine_of((0.3, 0.2, 0.1), (1, 1, 1), (40, -30, 20))
    moved = due.copy()
    moved[:3, 3] += (3, 0, 4)
    assert list_differences(geometry(moved), geometry(due), 0.1) == ["the origin is 5 mm off"]
    turned = affine_of((0.3, 0.2, 0.4), (1, 1, 1), (40, -30, 20))
    assert list_differences(geometry(turned), geometry(due), 0.1) == ["the direction of an axis is 17.19 degrees off"]


def test_the_spacing_counts_by_the_shift_of_the_last_voxel() -> None:
    """The last of nine voxels is eight steps from the first: 8 x 0.013 is above 0.1, and 7 x 0.013 is not."""
    due, wider = np.eye(4), np.diag([1, 1, 1.013, 1])
    assert list_differences(geometry(wider), geometry(due), 0.1) == ["the spacing is 1 x 1 x 1.013, not 1 x 1 x 1 mm"]
    assert "spacing is" not in list_differences(geometry(np.diag([1, 1, 1.012, 1])), geometry(due), 0.1)[0]


def test_a_difference_equal_to_the_tolerance_is_none() -> None:
    due, moved, wider = geometry(np.eye(4)), np.eye(4), np.diag([1, 1, 1 + 1 / 16, 1])
    moved[0, 3] = 0.5
    check_same_grid(Path("a"), geometry(moved), Path("b"), due, tolerance=0.5)
    for other in (moved, wider):  # the last of nine voxels is 8 / 16 of a voxel off
        assert list_differences(geometry(other), due, 0.5)[0].startswith("origin, spacing and direction together")


def test_an_axis_that_points_backwards_is_180_degrees_off() -> None:
    due = affine_of((0.3, 0.2, 0.1), (1, 1, 1), (0, 0, 0))
    turned = due.copy()
    turned[:3, 2] *= -1
    one, other = (plain(tuple(map(tuple, affine.tolist()))) for affine in (turned, due))
    assert list_differences(one, other, 0.1) == ["the direction of an axis is 180 degrees off"]


def test_an_axis_that_agrees_up_to_rounding_leaves_the_angle_of_the_others() -> None:
    """The product of the third axes is 1 + 2e-16, of which there is no arc cosine."""
    one, other = (
        plain(tuple(map(tuple, affine_of((0.075, 0.2, about), (1, 1, 1), (0, 0, 0)).tolist()))) for about in (0.1, 0.4)
    )
    assert list_differences(one, other, 0.1) == ["the direction of an axis is 17.19 degrees off"]
