"""npz volumes: axes, spacing, ranges, and files that are damaged or hold another thing."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from datamodules.files.npz_volumes import NpzReader, read_texts, read_values
from tests.helpers.hostile_files import Code
from tests.helpers.segfm_set import write_npz
from zoo.errors import DataError

IMGS = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)


def test_the_axes_become_x_y_z_and_the_spacing_follows(tmp_path: Path) -> None:
    path = write_npz(tmp_path / "a.npz", imgs=IMGS, gts=IMGS, spacing=np.array([1.0, 2.0, 5.0]))
    for order, spacing in (("xyz", (1.0, 2.0, 5.0)), ("zyx", (5.0, 2.0, 1.0))):
        image, geometry = NpzReader(spacing_order=order).image(path)
        np.testing.assert_array_equal(image[0], IMGS.transpose(2, 1, 0))
        assert (geometry.shape, geometry.spacing) == ((4, 3, 2), spacing)
        assert np.diag(np.asarray(geometry.affine)).tolist() == [*spacing, 1.0]
    np.testing.assert_array_equal(NpzReader(drop=(23,)).label(path)[0], IMGS.transpose(2, 1, 0) % 23)


def test_arrays_in_the_order_of_fortran_are_the_same(tmp_path: Path) -> None:
    plain = write_npz(tmp_path / "a.npz", gts=IMGS)
    turned = write_npz(tmp_path / "b.npz", gts=np.asfortranarray(IMGS.astype(">i4")))
    np.testing.assert_array_equal(read_values(plain), read_values(turned))
    assert read_values(turned).dtype == np.uint8


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"imgs": IMGS.astype(np.int16) - 30}, r"imgs has values from -30 to -7, but .* 0 to 255"),
        ({"imgs": IMGS * np.float32(np.nan)}, "imgs has values that are NaN or infinite"),
        ({"imgs": IMGS[0]}, r"imgs has the shape \(3, 4\), not three axes"),
        ({"imgs": IMGS.astype(str)}, "values that are not real numbers"),
        ({"imgs": np.array({"a": 1}, dtype=object)}, "it holds Python objects, which are not loaded"),
        ({"spacing": np.array([1.0, 0.0, 1.0])}, r"spacing is not three positive numbers \(\[1.0, 0.0, 1.0\]\)"),
        ({"spacing": np.array([1.0, 1.0])}, "spacing is not three positive numbers"),
        ({"spacing": None}, "no array `spacing` in it"),
    ],
)
def test_an_image_of_another_form_is_refused(tmp_path: Path, arrays: dict[str, Any], message: str) -> None:
    whole = {"imgs": IMGS, "spacing": np.ones(3)} | arrays
    path = write_npz(tmp_path / "a.npz", **{name: array for name, array in whole.items() if array is not None})
    with pytest.raises(DataError, match=message) as caught:
        NpzReader().image(path)
    assert str(caught.value).startswith(str(path))


def test_labels_of_another_form_are_refused(tmp_path: Path) -> None:
    for gts, message in (
        (IMGS - 0.5, "gts has values that are not whole numbers"),
        (IMGS.astype(np.int8) - 1, "gts has values from -1 to 22"),
        (IMGS.astype(np.int64) + 2**40, "gts has values from"),
    ):
        with pytest.raises(DataError, match=message):
            read_values(write_npz(tmp_path / "a.npz", gts=gts))


def test_a_damaged_file_is_one_line(tmp_path: Path) -> None:
    path = write_npz(tmp_path / "a.npz", gts=np.random.default_rng(0).integers(0, 200, (9, 9, 9)))
    whole = path.read_bytes()
    middle = bytearray(whole)
    middle[len(whole) // 2] ^= 255
    for content in (b"", whole[:-100], bytes(middle), b"no zip" * 99):
        path.write_bytes(content)
        with pytest.raises(DataError, match=rf"^{path}: truncated or unreadable \(gts: [^\n]+$"):
            read_values(path)
    path.unlink()
    with pytest.raises(DataError, match="no such file"):
        read_values(path)


def test_the_size_is_checked_before_the_values_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_npz(tmp_path / "a.npz", gts=IMGS)
    monkeypatch.setenv("ZOO_LIMITS", "voxels=20")
    with pytest.raises(DataError, match=r"gts has 24 values, more than 20\. .*ZOO_LIMITS=voxels=24"):
        read_values(path)
    header = "{'descr': '|u1', 'fortran_order': False, 'shape': (99999, 99999, 99999), }".ljust(117) + "\n"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("gts.npy", b"\x93NUMPY\x01\x00\x76\x00" + header.encode())
    with pytest.raises(DataError, match="more than 20"):
        read_values(path)


def test_bytes_behind_an_array_are_refused(tmp_path: Path) -> None:
    path = write_npz(tmp_path / "a.npz", gts=IMGS)
    with zipfile.ZipFile(path) as archive:
        content = archive.read("gts.npy")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("gts.npy", content + b"more")
    with pytest.raises(DataError, match="gts has bytes behind its array"):
        read_values(path)


def test_nothing_of_a_hostile_file_runs(tmp_path: Path) -> None:
    trap = tmp_path / "ran"
    path = write_npz(tmp_path / "a.npz", text_prompts=np.array({"1": Code(trap)}, dtype=object))
    with pytest.raises(DataError, match=rf"^{path}: text_prompts is refused: it names .*\. Get the file"):
        read_texts(path)
    assert not trap.exists()
    with pytest.raises(DataError, match="it holds no Python object"):
        read_texts(write_npz(path, text_prompts=np.array("Liver")))
