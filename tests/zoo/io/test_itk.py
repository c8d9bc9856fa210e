"""NRRD and MetaImage files are read and written on the grid that other libraries read; a broken one is one line."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import nibabel as nib
import nrrd
import numpy as np
import pytest
from numpy.typing import NDArray

from tests.helpers.data_sets import write_nifti
from tests.helpers.itk_files import write_mha, write_nrrd
from zoo.errors import DataError
from zoo.io import read_channels, read_image, read_label, write_prediction
from zoo.io.itk import read_itk
from zoo.types import Prediction

TURNED = np.array([[0.36, 0.48, -0.8], [-0.8, 0.6, 0.0], [0.48, 0.64, 0.6]])
"""A rotation by no simple angle."""

GRIDS: Mapping[str, NDArray[np.float64]] = {
    "plain": np.diag([1.0, 1.0, 1.0]),
    "flipped and anisotropic": np.diag([-0.7, 1.5, -3.0]),
    "other axes": np.array([[0.0, 0.0, 2.5], [0.8, 0.0, 0.0], [0.0, -1.25, 0.0]]),
    "oblique and anisotropic": TURNED @ np.diag([0.9, 1.1, 4.0]),
}


def affine_of(columns: NDArray[np.float64]) -> NDArray[np.float64]:
    affine = np.eye(4)
    affine[:3, :3], affine[:3, 3] = columns, (12.5, -7.25, 103.0)
    return affine


@pytest.mark.parametrize("grid", GRIDS)
def test_a_volume_has_the_array_and_the_grid_that_nibabel_reads(grid: str, tmp_path: Path) -> None:
    array, affine = np.random.default_rng(0).normal(size=(5, 6, 4)).astype(np.float32), affine_of(GRIDS[grid])
    expected, geometry = read_image(write_nifti(tmp_path / "a.nii.gz", array, affine))
    files = [write_nrrd(tmp_path / f"{space[:5]}.nrrd", array, affine, space) for space in SPACES]
    files += [write_mha(tmp_path / "a.mha", array, affine), write_mha(tmp_path / "b.mhd", array, affine)]
    for file in files:
        read, found = read_image(file)
        np.testing.assert_array_equal(read, expected)
        np.testing.assert_allclose(np.array(found.affine), affine, atol=1e-9)
        assert (found.shape, found.crop, found.unit) == (geometry.shape, geometry.crop, "mm")
        np.testing.assert_allclose(found.spacing, geometry.spacing, rtol=1e-6)


SPACES = ("left-posterior-superior", "right-anterior-superior", "left-anterior-superior")


@pytest.mark.parametrize("grid", GRIDS)
def test_a_mask_has_the_header_of_its_image(grid: str, tmp_path: Path) -> None:
    affine = affine_of(GRIDS[grid])
    array = np.random.default_rng(1).integers(0, 3, (5, 6, 4)).astype(np.uint8)
    image = write_nrrd(tmp_path / "a.nrrd", array, affine, SPACES[0])
    label, geometry = read_label(image)
    write_prediction(tmp_path / "out" / "a.nrrd", Prediction("a", label.astype(np.uint8), geometry))
    stored, header = nrrd.read(str(tmp_path / "out" / "a.nrrd"))
    _, due = nrrd.read(str(image))
    np.testing.assert_array_equal(stored, array)
    for key in ("space directions", "space origin"):
        np.testing.assert_allclose(header[key], due[key], rtol=0, atol=1e-12)
    assert header["space"] == due["space"]
    for file in (write_mha(tmp_path / "a.mha", array, affine), write_mha(tmp_path / "b.mhd", array, affine)):
        label, geometry = read_label(file)
        (written,) = write_prediction(tmp_path / "out" / "a.mha", Prediction("a", label.astype(np.uint8), geometry))
        back, found = read_label(written)
        np.testing.assert_array_equal(back, label)
        assert found.affine == geometry.affine


def test_a_mask_whose_image_is_gone_lies_where_the_image_was(tmp_path: Path) -> None:
    affine = affine_of(GRIDS["oblique and anisotropic"])
    array = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    image = write_nrrd(tmp_path / "a.nrrd", array, affine, SPACES[0])
    label, geometry = read_label(image)
    image.unlink()
    write_prediction(tmp_path / "b.nrrd", Prediction("a", label.astype(np.uint8), geometry))
    stored, header = nrrd.read(str(tmp_path / "b.nrrd"))
    np.testing.assert_array_equal(stored, array)
    lps = np.diag([-1.0, -1.0, 1.0])
    np.testing.assert_allclose(np.array(header["space directions"]).T, lps @ affine[:3, :3], atol=1e-9)
    np.testing.assert_allclose(header["space origin"], lps @ affine[:3, 3], atol=1e-9)


def test_channels_pictures_and_overlapping_masks_have_the_axes_of_the_file(tmp_path: Path) -> None:
    affine = affine_of(GRIDS["other axes"])
    array = np.random.default_rng(2).normal(size=(5, 6, 4, 2)).astype(np.float32)
    image = write_mha(tmp_path / "two.mha", array, affine)
    both, geometry = read_channels(image, 2)
    assert both.shape == (2, *(stop for _, stop in geometry.crop))
    for channel in range(2):
        single, _ = read_image(write_mha(tmp_path / "one.mha", array[..., channel].copy(), affine))
        np.testing.assert_array_equal(both[channel], single)
    masks = (both > 0).astype(np.uint8)
    (written,) = write_prediction(tmp_path / "masks.nrrd", Prediction("a", masks, geometry))
    stored, header = nrrd.read(str(written))
    np.testing.assert_array_equal(np.moveaxis(stored, 0, -1), (array > 0).astype(np.uint8))
    assert header["kinds"][0] == "vector"
    picture = write_mha(tmp_path / "picture.mha", np.arange(12, dtype=np.int16).reshape(4, 3), None)
    read, flat = read_image(picture)
    np.testing.assert_array_equal(read, np.arange(12).reshape(4, 3).T)  # the first axis of the file is that of x
    assert (flat.affine, flat.unit, flat.shape) == (None, "px", (3, 4))
    (written,) = write_prediction(tmp_path / "mask.mha", Prediction("a", (read > 5).astype(np.uint8), flat))
    np.testing.assert_array_equal(read_label(written)[0], read > 5)


def test_a_broken_file_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    array = np.random.default_rng(3).normal(size=(8, 8, 8)).astype(np.float32)
    whole = write_nrrd(tmp_path / "whole.nrrd", array, np.eye(4), SPACES[0])
    cut, empty, text = tmp_path / "cut.nrrd", tmp_path / "empty.mha", tmp_path / "text.nrrd"
    cut.write_bytes(whole.read_bytes()[:-700])
    empty.write_bytes(b"")
    text.write_text("no image")
    two = write_mha(tmp_path / "two.mha", array.reshape(8, 8, 4, 2), np.eye(4))
    lost = write_mha(tmp_path / "lost.mhd", array, np.eye(4))
    lost.with_suffix(".raw").unlink()
    bad: list[tuple[Path, str]] = [
        (cut, r"cut\.nrrd: truncated or unreadable \("),
        (empty, r"empty\.mha: truncated or unreadable \("),
        (text, r"text\.nrrd: truncated or unreadable \("),
        (lost, r"lost\.mhd: truncated or unreadable \("),
        (two, r"two\.mha: 3-D with shape \(8, 8, 4, 2\) instead of 2-D or 3-D with one channel"),
        (tmp_path / "none.mha", r"none\.mha: no such file"),
    ]
    for file, message in bad:
        with pytest.raises(DataError, match=message) as caught:
            read_image(file)
        assert "\n" not in str(caught.value)
    with pytest.raises(DataError, match="instead of 2-D or 3-D with 3 channels"):
        read_channels(two, 3)
    monkeypatch.setenv("ZOO_LIMITS", "voxels=500")
    with pytest.raises(DataError, match=r"whole\.nrrd: 512 voxels, more than 500\. .*ZOO_LIMITS=voxels=512"):
        read_itk(whole, np.float32)


def test_a_missing_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zoo.io.itk.find_spec", lambda name: None)
    file = write_mha(tmp_path / "a.mha", np.zeros((2, 2, 2), np.float32), np.eye(4))
    with pytest.raises(DataError, match=r"reading \.mha files needs SimpleITK\. Run `pip install"):
        read_image(file)


def test_an_image_of_nibabel_and_its_copy_in_nrrd_lie_at_the_same_place(tmp_path: Path) -> None:
    affine = affine_of(GRIDS["oblique and anisotropic"])
    array = np.zeros((5, 6, 4), np.float32)
    array[1, 4, 3] = 1
    place = nib.affines.apply_affine(affine, (1, 4, 3))
    stored, header = nrrd.read(str(write_nrrd(tmp_path / "a.nrrd", array, affine, SPACES[0])))
    (index,) = np.argwhere(stored == 1)
    lps = np.array(header["space directions"]).T @ index + header["space origin"]
    np.testing.assert_allclose(lps * (-1, -1, 1), place, atol=1e-9)
