"""Preprocessing of arrays: crop, normalisation and resampling."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace
from pathlib import Path

import nibabel
import numpy as np
import pytest

from zoo.errors import DataError
from zoo.preprocessing import apply as module
from zoo.preprocessing.apply import load_case, preprocess, to_classes
from zoo.preprocessing.spec import PreprocessingSpec
from zoo.types import Case, Geometry, LabelSpace


def geometry(shape: tuple[int, ...]) -> Geometry:
    affine = tuple(map(tuple, np.eye(4).tolist()))
    return Geometry(affine, shape, tuple((0, n) for n in shape), (1.0,) * len(shape), "mm", None)


@pytest.mark.parametrize("at_once", [2**24, 1000, 7])
def test_normalisation_equals_numpys_mean_and_standard_deviation(monkeypatch: pytest.MonkeyPatch, at_once: int) -> None:
    monkeypatch.setattr(module, "_DOUBLE", at_once)
    image = np.random.default_rng(0).gamma(2.0, 300.0, (2, 11, 13, 17)).astype(np.float32)
    image[1] = 5  # a constant channel becomes 0, not NaN
    made = preprocess(image, None, geometry(image.shape[1:]), PreprocessingSpec()).image
    double = image[0].astype(np.float64)
    np.testing.assert_allclose(made[0], (double - double.mean()) / double.std(), rtol=1e-6, atol=1e-7)
    assert not made[1].any()
    assert made.dtype == np.float32


def test_a_cropped_image_is_normalised_by_the_voxels_of_the_crop() -> None:
    image = np.zeros((1, 8, 8, 8), np.float32)
    image[0, 2:6, 2:6, 2:6] = np.arange(1, 65).reshape(4, 4, 4)
    made = preprocess(image, None, geometry((8, 8, 8)), PreprocessingSpec(crop_above=0.5))
    assert made.geometry.crop == ((2, 6),) * 3
    assert made.image.mean() == pytest.approx(0, abs=1e-6)
    assert made.image.std() == pytest.approx(1)


def test_a_resampled_label_takes_the_voxel_at_the_centre() -> None:
    """Where three voxels become one, the image and the label both take the middle voxel."""
    label = np.random.default_rng(0).integers(0, 4, (9, 12, 6)).astype(np.uint8)
    image = label[None].astype(np.float32)
    spec = PreprocessingSpec(window=(0.0, 1000.0), spacing=(3.0, 3.0, 3.0))
    made = preprocess(image, label, geometry(label.shape), spec)
    assert made.label is not None
    np.testing.assert_array_equal(made.label[0], label[1::3, 1::3, 1::3])
    np.testing.assert_allclose(made.image[0] * 1000, made.label[0], atol=1e-3)
    assert made.native is label


def test_channels_and_the_label_of_a_case_must_have_the_grid_of_the_first_channel(tmp_path: Path) -> None:
    small, large = tmp_path / "small.nii", tmp_path / "large.nii"
    nibabel.save(nibabel.Nifti1Image(np.ones((4, 4, 4), np.uint8), np.eye(4)), small)
    nibabel.save(nibabel.Nifti1Image(np.ones((4, 4, 5), np.uint8), np.eye(4)), large)
    for images, label in [((small, large), small), ((small, small), large), ((small,), large)]:
        with pytest.raises(DataError, match=r"large\.nii.*small\.nii"):
            load_case(Case("a", images, label, "p"), PreprocessingSpec(), LabelSpace(("a",), ((1,),)))


def test_each_file_of_a_case_is_a_channel(tmp_path: Path) -> None:
    ramp = np.arange(64, dtype=np.float32).reshape(4, 4, 4)
    files = [tmp_path / f"{number}.nii" for number in range(2)]
    for path, array in zip(files, (ramp, ramp[::-1].copy()), strict=True):
        nibabel.save(nibabel.Nifti1Image(array, np.eye(4)), path)
    spec, labels = PreprocessingSpec(window=(0.0, 63.0)), LabelSpace(("a",), ((1,),))
    both = load_case(Case("a", tuple(files), None, "p"), spec, labels).image
    alone = [load_case(Case("a", (path,), None, "p"), spec, labels).image for path in files]
    np.testing.assert_array_equal(both, np.concatenate(alone))
    assert both.shape == (2, 4, 4, 4)
    assert not np.array_equal(both[0], both[1])


@pytest.mark.parametrize("largest", [9, 2**21, 2**31 - 1])
def test_values_of_any_size_become_classes(largest: int) -> None:
    labels = LabelSpace(("a", "b"), ((largest,), (3, 4)))
    raw = np.array([[0, 3], [4, largest]], np.int32)
    assert to_classes(raw, labels, Path("a.nii")).tolist() == [[0, 2], [2, 1]]
    with pytest.raises(DataError, match=r"unexpected label values \[5\]"):
        to_classes(np.array([5], np.int32), labels, Path("a.nii"))


def test_a_label_on_the_grid_of_the_network_is_not_kept_twice() -> None:
    for shape in ((4, 6), (4, 6, 4)):
        image, label = np.ones((1, *shape), np.float32), np.ones(shape, np.uint8)
        assert preprocess(image, label, geometry(shape), PreprocessingSpec()).native is None
        size = PreprocessingSpec(size=tuple(n // 2 for n in shape))
        assert preprocess(image, label, geometry(shape), size).native is label


def test_a_window_becomes_0_to_1() -> None:
    image = np.array([[[-500.0, -100.0], [100.0, 900.0]]], np.float32)
    made = preprocess(image, None, geometry((2, 2)), PreprocessingSpec(window=(-100.0, 300.0)))
    assert made.image.tolist() == [[[0.0, 0.0], [0.5, 1.0]]]


def test_a_thin_image_keeps_one_slice() -> None:
    image = np.ones((1, 4, 4, 1), np.float32)
    made = preprocess(image, None, geometry((4, 4, 1)), PreprocessingSpec(spacing=(2.0, 2.0, 9.0)))
    assert made.image.shape == (1, 2, 2, 1)


def test_a_picture_that_shrinks_is_smoothed() -> None:
    image = np.zeros((1, 8, 8), np.float32)
    image[0, 0, 0] = 1
    made = preprocess(image, None, geometry((8, 8)), PreprocessingSpec(window=(0.0, 1.0), size=(2, 2)))
    assert made.image[0, 0, 0] > 0, "a pixel between the samples is not lost"


def test_a_large_label_value_takes_no_table_of_its_size() -> None:
    raw = np.array([0, 1, 2**27], np.int32)
    tracemalloc.start()
    classes = to_classes(raw, LabelSpace(("a", "b"), ((1,), (2**27,))), Path("a"))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert classes.tolist() == [0, 1, 2]
    assert peak < 2**26


def test_an_image_with_little_contrast_is_normalised() -> None:
    image = np.random.default_rng(0).normal(5, 0.1, (1, 8, 8, 8)).astype(np.float32)
    made = preprocess(image, None, geometry((8, 8, 8)), PreprocessingSpec()).image
    assert (made.mean(), made.std()) == pytest.approx((0, 1), abs=1e-4)


def test_voxels_equal_to_the_limit_of_a_crop_are_outside() -> None:
    image = np.zeros((1, 6, 6), np.float32)
    image[0, 2:4, 1:5] = 3
    assert preprocess(image, None, geometry((6, 6)), PreprocessingSpec(crop_above=0.0)).geometry.crop == (
        (2, 4),
        (1, 5),
    )


def test_a_spacing_of_another_number_of_axes_is_refused() -> None:
    with pytest.raises(ValueError, match="zip"):
        preprocess(np.ones((1, 4, 4), np.float32), None, geometry((4, 4)), PreprocessingSpec(spacing=(1.0, 1.0, 1.0)))


def test_a_label_and_a_channel_of_another_shape_are_refused(tmp_path: Path) -> None:
    for name, shape in (("a", (4, 4, 4)), ("b", (4, 4, 5))):
        nibabel.save(nibabel.Nifti1Image(np.ones(shape, np.float32), np.eye(4)), tmp_path / f"{name}.nii")
    a, b = tmp_path / "a.nii", tmp_path / "b.nii"
    labels = LabelSpace(("x",), ((1,),))
    assert load_case(Case("c", (a, a), a, "p"), PreprocessingSpec(), labels).image.shape == (2, 4, 4, 4)
    for case in (Case("c", (a, b), None, "p"), Case("c", (a, a, b), None, "p"), Case("c", (a,), b, "p")):
        with pytest.raises(DataError, match=r"b\.nii: shape"):
            load_case(case, PreprocessingSpec(), labels)


def test_the_size_follows_from_the_voxel_sizes_of_the_image_and_of_the_network() -> None:
    image = np.ones((1, 10, 12, 4), np.float32)
    native = replace(geometry((10, 12, 4)), spacing=(0.5, 2.0, 5.0))
    made = preprocess(image, None, native, PreprocessingSpec(spacing=(1.0, 1.0, 2.5)))
    assert made.image.shape == (1, 5, 24, 8)
