"""What the header of a NIfTI file says of its voxels: units, rounding and missing sizes."""

from __future__ import annotations

import gzip
import io
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest

from zoo.errors import DataError
from zoo.io import read_image, read_label, write_prediction
from zoo.types import Prediction


@pytest.mark.parametrize(("unit", "factor"), [("meter", 1000.0), ("mm", 1.0), ("micron", 0.001), ("unknown", 1.0)])
def test_a_unit_other_than_the_millimetre_is_converted_and_goes_back_with_a_prediction(
    tmp_path: Path, unit: str, factor: float
) -> None:
    affine = np.diag([-1.5, 1.0, 2.0, 1.0]) * [[1 / factor], [1 / factor], [1 / factor], [1]]
    affine[:3, 3] = np.array([3, -4, 5]) / factor
    image = nib.Nifti1Image(np.zeros((3, 4, 5), np.uint8), affine)
    image.header.set_xyzt_units(unit)
    nib.save(image, tmp_path / "in.nii.gz")
    label, geometry = read_label(tmp_path / "in.nii.gz")
    assert geometry.spacing == pytest.approx((1.5, 1.0, 2.0))
    assert geometry.unit == "mm"
    write_prediction(tmp_path / "out.nii.gz", Prediction("a", label.astype(np.uint8), geometry))
    written = nib.load(tmp_path / "out.nii.gz")
    assert written.affine == pytest.approx(affine)
    assert written.header.get_xyzt_units()[0] == unit


def test_voxels_of_a_metre_are_no_voxels(tmp_path: Path) -> None:
    image = nib.Nifti1Image(np.zeros((3, 4, 5), np.uint8), np.diag([1.5, 1.0, 2.0, 1.0]))
    image.header.set_xyzt_units("meter")
    nib.save(image, tmp_path / "a.nii.gz")
    with pytest.raises(DataError, match=r"a\.nii\.gz: the header gives voxels of more than 100 mm") as caught:
        read_label(tmp_path / "a.nii.gz")
    assert caught.value.kind == "affine_unusable"


@pytest.mark.parametrize(("length", "fits"), [(1.0000003, True), (1.01, False)])
@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_a_quaternion_may_be_longer_than_1_by_rounding(tmp_path: Path, suffix: str, length: float, fits: bool) -> None:
    affine = np.diag([-1.5, -1.0, 2.0, 1.0])
    image = nib.Nifti1Image(np.ones((3, 4, 5), np.uint8), affine)
    image.set_sform(None, 0)
    image.set_qform(affine, 1)
    raw = bytearray(image.to_bytes())
    raw[256:268] = np.array([0, 0, length], "<f4").tobytes()
    path = tmp_path / f"a{suffix}"
    path.write_bytes(gzip.compress(bytes(raw)) if suffix == ".nii.gz" else bytes(raw))
    if fits:
        label, geometry = read_label(path)
        assert geometry.spacing == (1.5, 1.0, 2.0)
        write_prediction(tmp_path / f"out{suffix}", Prediction("a", label.astype(np.uint8), geometry))
        assert nib.load(tmp_path / f"out{suffix}").affine == pytest.approx(affine)
        return
    with pytest.raises(DataError, match="the quaternion of the header is longer than 1") as caught:
        read_label(path)
    assert caught.value.kind == "affine_unusable"


@pytest.mark.parametrize("axis", [1, 2, 3])
def test_a_negative_voxel_size_counts_by_its_amount(tmp_path: Path, axis: int) -> None:
    image = nib.Nifti1Image(np.ones((3, 4, 5), np.uint8), np.diag([-1.5, 1.0, 2.0, 1.0]))
    raw = bytearray(image.to_bytes())
    place = 76 + 4 * axis
    raw[place : place + 4] = (-np.frombuffer(raw[place : place + 4], "<f4")).tobytes()
    (tmp_path / "a.nii").write_bytes(raw)
    label, geometry = read_label(tmp_path / "a.nii")
    assert geometry.spacing == (1.5, 1.0, 2.0)
    write_prediction(tmp_path / "b.nii", Prediction("a", label.astype(np.uint8), geometry))
    assert np.array_equal(nib.load(tmp_path / "b.nii").affine, image.affine)


def test_a_voxel_size_of_0_is_accepted_where_an_affine_is_stored(tmp_path: Path) -> None:
    image = nib.Nifti1Image(np.zeros((3, 3, 3), np.float32), np.diag([1.0, 2.0, 3.0, 1.0]))
    raw = bytearray(image.to_bytes())
    raw[88:92] = bytes(4)
    (tmp_path / "a.nii").write_bytes(raw)
    assert read_image(tmp_path / "a.nii")[1].spacing == (1.0, 2.0, 3.0)


def write_with(path: Path, behind: bytes = b"", **fields: Any) -> Path:
    """Write a small NIfTI file with other values in its header and with content behind its voxels."""
    kind = nib.Nifti2Image if fields.pop("second", False) else nib.Nifti1Image
    image = kind(np.zeros((2, 2, 2), np.uint8), np.eye(4))
    content = io.BytesIO(image.to_bytes())
    header = type(image.header).from_fileobj(content, check=False)
    for key, value in fields.items():
        header[key] = value
    raw = header.binaryblock + content.getvalue()[len(header.binaryblock) :] + behind
    path.write_bytes(gzip.compress(raw, 1) if path.suffix == ".gz" else raw)
    return path


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
@pytest.mark.parametrize("second", [False, True])
def test_a_header_that_claims_too_many_voxels_is_refused(tmp_path: Path, name: str, second: bool) -> None:
    path = write_with(tmp_path / name, second=second, dim=[3, 2000, 2000, 2000, 1, 1, 1, 1])
    for read in (read_image, read_label):
        with pytest.raises(DataError, match=r": 8000000000 voxels, more than .* ZOO_LIMITS=voxels=8000000000\.$"):
            read(path)


def test_content_that_is_no_voxels_has_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZOO_LIMITS", "extra_mb=1")
    assert read_image(write_with(tmp_path / "a.nii.gz", bytes(900_000)))[0].shape == (2, 2, 2)
    for path in (
        write_with(tmp_path / "behind.nii.gz", bytes(3_000_000)),
        write_with(tmp_path / "before.nii.gz", vox_offset=3_000_000),
        write_with(tmp_path / "before.nii", vox_offset=3_000_000),
    ):
        with pytest.raises(DataError, match=r"more than 1 MB that are no voxels\. .*ZOO_LIMITS=extra_mb="):
            read_image(path)
