"""Read and write images, labels and predictions: axes, values, and one error line for each fault."""

from __future__ import annotations

import gzip
import itertools
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from PIL import Image

from tests.helpers.data_sets import write_nifti, write_png
from zoo.errors import DataError, RunError
from zoo.io import prediction_suffix, read_image, read_label, write_prediction
from zoo.types import Geometry, Prediction

FLIPS = list(itertools.product([1, -1], repeat=3))


def oriented(axes: tuple[int, int, int], flips: tuple[int, int, int]) -> np.ndarray:
    """An affine whose voxel axes are permuted and flipped, with unequal spacing and an offset."""
    affine = np.zeros((4, 4))
    for voxel_axis, (world_axis, flip) in enumerate(zip(axes, flips, strict=True)):
        affine[world_axis, voxel_axis] = flip * (1.0, 2.0, 3.5)[voxel_axis]
    affine[:, 3] = (-7, 11, 13, 1)
    return affine


@pytest.mark.parametrize("flips", FLIPS)
@pytest.mark.parametrize("axes", [(0, 1, 2), (2, 0, 1), (1, 0, 2)])
def test_a_prediction_has_the_grid_of_the_image_file(
    tmp_path: Path, axes: tuple[int, int, int], flips: tuple[int, int, int]
) -> None:
    rng = np.random.default_rng(3)
    stored = rng.integers(0, 4, (3, 5, 7)).astype(np.uint8)
    affine = oriented(axes, flips)
    path = write_nifti(tmp_path / "in.nii.gz", stored, affine)
    label, geometry = read_label(path)
    world = np.array([7, 5, 3])
    for voxel in ((0, 0, 0), (2, 1, 4)):  # each voxel of the file is at the same position in RAS order
        place = affine @ (*voxel, 1)
        ras_affine = nib.as_closest_canonical(nib.load(path)).affine
        there = np.rint(np.linalg.solve(ras_affine, place))[:3].astype(int)
        assert label[tuple(there)] == stored[voxel]
    assert sorted(label.shape) == sorted(world)
    out = tmp_path / "out.nii.gz"
    write_prediction(out, Prediction("in", label.astype(np.uint8), geometry))
    written = nib.load(out)
    np.testing.assert_array_equal(np.asarray(written.dataobj), stored)
    np.testing.assert_array_equal(written.affine, affine)
    assert written.get_data_dtype() == np.uint8


def test_a_fourth_axis_of_length_one_is_ignored(tmp_path: Path) -> None:
    affine = oriented((2, 0, 1), (-1, 1, -1))
    stored = np.arange(105).reshape(3, 5, 7).astype(np.int16)
    flat, _ = read_image(write_nifti(tmp_path / "a.nii.gz", stored, affine))
    array, geometry = read_image(write_nifti(tmp_path / "b.nii.gz", stored[..., None], affine))
    np.testing.assert_array_equal(array, flat)
    (path,) = write_prediction(tmp_path / "out.nii.gz", Prediction("b", array.astype(np.uint8), geometry))
    np.testing.assert_array_equal(np.asarray(nib.load(path).dataobj), stored)
    np.testing.assert_allclose(nib.load(path).affine, affine)


def test_a_label_value_may_have_the_rounding_error_of_its_scaling(tmp_path: Path) -> None:
    stored = np.arange(24).reshape(2, 3, 4) + np.float64(2e-4)
    label, _ = read_label(write_nifti(tmp_path / "a.nii.gz", stored))
    np.testing.assert_array_equal(label, np.arange(24).reshape(2, 3, 4))
    with pytest.raises(DataError, match="whole numbers"):
        read_label(write_nifti(tmp_path / "b.nii.gz", stored + 0.01))


def test_spacing_follows_the_reoriented_axes(tmp_path: Path) -> None:
    path = write_nifti(tmp_path / "a.nii", np.zeros((3, 5, 7), np.float32), oriented((2, 0, 1), (1, -1, 1)))
    image, geometry = read_image(path)
    assert image.shape == (5, 7, 3)
    assert geometry.spacing == (2.0, 3.5, 1.0)
    assert geometry.unit == "mm"
    assert geometry.shape == (3, 5, 7)


def test_overlapping_regions_get_a_fourth_axis(tmp_path: Path) -> None:
    path = write_nifti(tmp_path / "a.nii.gz", np.zeros((3, 5, 7), np.float32), oriented((1, 0, 2), (-1, 1, 1)))
    image, geometry = read_image(path)
    masks = np.stack([np.ones(image.shape, np.uint8), np.zeros(image.shape, np.uint8)])
    written = write_prediction(tmp_path / "out.nii.gz", Prediction("a", masks, geometry))
    volume = np.asarray(nib.load(written[0]).dataobj)
    assert volume.shape == (3, 5, 7, 2)
    assert volume[..., 0].all()
    assert not volume[..., 1].any()


def test_a_nifti_without_a_source_keeps_its_affine(tmp_path: Path) -> None:
    affine = oriented((0, 1, 2), (-1, -1, 1))
    rows = tuple(tuple(float(v) for v in row) for row in affine)
    geometry = Geometry(rows, (2, 3, 4), ((0, 2), (0, 3), (0, 4)), (1, 2, 3.5), "mm")
    mask = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    write_prediction(tmp_path / "out.nii.gz", Prediction("a", mask, geometry))
    written = nib.load(tmp_path / "out.nii.gz")
    np.testing.assert_array_equal(np.asarray(written.dataobj), mask[::-1, ::-1])
    np.testing.assert_array_equal(written.affine, affine)


def test_a_png_image_gets_png_predictions(tmp_path: Path) -> None:
    image, geometry = read_image(write_png(tmp_path / "a.png", np.arange(12, dtype=np.uint8).reshape(3, 4)))
    assert image.shape == (3, 4)
    assert geometry.unit == "px"
    assert prediction_suffix(geometry) == ".png"
    mask = (image > 5).astype(np.uint8)
    write_prediction(tmp_path / "one.png", Prediction("a", mask[None], geometry))
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "one.png")), mask * 255)
    write_prediction(tmp_path / "map.png", Prediction("a", mask, geometry))
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "map.png")), mask)
    names = write_prediction(tmp_path / "two.png", Prediction("a", np.stack([mask, 1 - mask]), geometry))
    assert [name.name for name in names] == ["two-1.png", "two-2.png"]
    np.testing.assert_array_equal(np.asarray(Image.open(names[1])), (1 - mask) * 255)
    assert not list(tmp_path.glob(".part-*"))


def test_colour_becomes_gray_and_sixteen_bits_are_kept(tmp_path: Path) -> None:
    colour = np.full((4, 4, 3), 200, dtype=np.uint8)
    image, _ = read_image(write_png(tmp_path / "c.png", colour))
    assert image.shape == (4, 4)
    assert image[0, 0] == 200
    Image.fromarray(np.full((4, 4), 40000, dtype=np.uint16)).save(tmp_path / "deep.png")
    assert read_image(tmp_path / "deep.png")[0].max() == 40000


def test_a_mask_of_another_shape_is_refused(tmp_path: Path) -> None:
    _, geometry = read_image(write_png(tmp_path / "a.png", np.zeros((3, 4), dtype=np.uint8)))
    with pytest.raises(DataError, match="shape"):
        write_prediction(tmp_path / "out.png", Prediction("a", np.zeros((4, 3), np.uint8), geometry))
    assert not (tmp_path / "out.png").exists()


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, geometry = read_image(write_png(tmp_path / "a.png", np.zeros((3, 4), dtype=np.uint8)))
    out = tmp_path / "out.png"
    write_prediction(out, Prediction("a", np.ones((1, 3, 4), np.uint8), geometry))
    before = out.read_bytes()

    def full(self: Image.Image, path: Path) -> None:
        Path(path).write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", full)
    with pytest.raises(RunError, match="No space left"):
        write_prediction(out, Prediction("a", np.zeros((1, 3, 4), np.uint8), geometry))
    assert out.read_bytes() == before
    assert not list(tmp_path.glob(".part-*"))


def faulty(folder: Path, fault: str) -> Path:
    path = write_nifti(folder / f"{fault}.nii.gz", np.random.default_rng(0).random((6, 6, 6)).astype(np.float32))
    if fault == "truncated":
        path.write_bytes(path.read_bytes()[:300])
    elif fault == "cut":
        raw = gzip.decompress(path.read_bytes())
        path.write_bytes(gzip.compress(raw[: len(raw) // 2]))
    elif fault == "garbage":
        path.write_bytes(b"no image at all")
    elif fault == "empty":
        path.write_bytes(b"")
    elif fault == "nan":
        write_nifti(path, np.full((3, 3, 3), np.nan, np.float32))
    elif fault == "4d":
        write_nifti(path, np.zeros((3, 3, 3, 2), np.float32))
    elif fault == "flat":
        image = nib.Nifti1Image(np.zeros((3, 3, 3), np.float32), None)
        image.header["sform_code"] = 1
        image.header["srow_x"] = image.header["srow_y"] = image.header["srow_z"] = (0, 0, 0, 0)
        nib.save(image, path)
    elif fault == "sizeless":
        image = nib.Nifti1Image(np.zeros((3, 3, 3), np.float32), None)
        header = image.to_bytes()
        path.write_bytes(gzip.compress(header[:88] + bytes(4) + header[92:]))  # pixdim[3]: nibabel would say 1 mm
    elif fault == "voxelless":
        nib.save(nib.Nifti1Image(np.zeros((0, 4, 4), np.float32), np.eye(4)), path)
    elif fault == "absent":
        path.unlink()
    return path


FAULTS = ["truncated", "cut", "garbage", "empty", "nan", "4d", "flat", "sizeless", "voxelless", "absent"]


@pytest.mark.parametrize("fault", FAULTS)
def test_every_fault_is_one_line_that_begins_with_the_file(tmp_path: Path, fault: str) -> None:
    path = faulty(tmp_path, fault)
    with pytest.raises(DataError) as caught:
        read_image(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_truncated_png_and_fractional_labels(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    path = write_png(tmp_path / "a.png", rng.integers(0, 255, (64, 64)).astype(np.uint8))
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(DataError, match=r"a\.png: truncated"):
        read_image(path)
    half = write_nifti(tmp_path / "h.nii.gz", np.full((3, 3, 3), 0.5, np.float32))
    with pytest.raises(DataError, match=r"h\.nii\.gz: .*whole numbers"):
        read_label(half)


@pytest.mark.parametrize("stored", [np.complex64, np.dtype([("R", "u1"), ("G", "u1"), ("B", "u1")])])
def test_voxels_that_are_not_real_numbers_are_refused(tmp_path: Path, stored: Any) -> None:
    path = tmp_path / "a.nii.gz"
    nib.save(nib.Nifti1Image(np.zeros((2, 3, 4), stored), np.eye(4)), path)
    for read in (read_image, read_label):
        with pytest.raises(DataError, match=r"a.nii.gz: voxels that are not real numbers"):
            read(path)


@pytest.mark.parametrize("value", [2**32, 2**31, -(2**31) - 1])
def test_a_label_value_beyond_32_bits_is_refused(tmp_path: Path, value: int) -> None:
    """A cast to 32 bits would turn 2**32 into the background."""
    path = tmp_path / "a.nii.gz"
    for stored in (np.int64, np.float64):
        volume = np.zeros((2, 3, 4), stored)
        volume[0, 0, 0] = value
        nib.save(nib.Nifti1Image(volume, np.eye(4), dtype=stored), path)
        with pytest.raises(DataError, match=r"a.nii.gz: .*beyond 32 bits") as caught:
            read_label(path)
        assert caught.value.kind == "label_values"
