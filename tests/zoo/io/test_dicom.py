"""DICOM files that crash the reader, or claim too much, end with one line and not with the program."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.helpers.dicom_series import write_series
from tests.helpers.volume_sets import write_dicom
from zoo.errors import DataError
from zoo.io.dicom import SeriesReader, list_slices
from zoo.io.dicom_slice import read_slice


def write_nested(path: Path, depth: int) -> Path:
    """Write a DICOM file of sequences in sequences."""
    syntax = b"1.2.840.10008.1.2.1\0"
    meta = b"\x02\0\x10\0UI" + len(syntax).to_bytes(2, "little") + syntax
    length = b"\x02\0\0\0UL\x04\0" + len(meta).to_bytes(4, "little")
    sequence = b"\x08\0\x40\x11SQ\0\0\xff\xff\xff\xff" + b"\xfe\xff\0\xe0\xff\xff\xff\xff"
    path.write_bytes(bytes(128) + b"DICM" + length + meta + sequence * depth)
    return path


def test_nested_sequences_that_crash_the_reader_end_with_one_line(tmp_path: Path) -> None:
    path = write_nested(tmp_path / "a.dcm", 50_000)
    with pytest.raises(DataError, match=r"a\.dcm: truncated or unreadable \(the reader ended by SIG\w+\)\.") as caught:
        SeriesReader().image(path)
    assert "\n" not in str(caught.value)


def test_a_slice_of_too_many_pixels_is_refused_by_its_header(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_dicom(tmp_path / "a.dcm", np.zeros((6, 5), np.int16), 0.0, 1.0)
    monkeypatch.setenv("ZOO_LIMITS", "pixels=29")
    with pytest.raises(DataError, match=r"a\.dcm: a slice of 30 pixels, more than 29\. .*ZOO_LIMITS=pixels=30\.$"):
        SeriesReader().image(path)


def test_a_slice_is_read_as_the_library_reads_it(tmp_path: Path) -> None:
    pixels = np.arange(30, dtype=np.int16).reshape(6, 5)
    header, read = read_slice(str(write_dicom(tmp_path / "a.dcm", pixels, 3.5, 1.25)), pixels=True, most=30)
    assert read is not None
    np.testing.assert_array_equal(read, pixels)
    assert (header["origin"][2], header["spacing"][:2]) == (3.5, (1.25, 1.25))


def test_slices_are_found_by_their_mark_where_no_file_has_the_suffix(tmp_path: Path) -> None:
    volume = np.random.default_rng(0).integers(-9, 9, (3, 6, 5)).astype(np.int16)
    write_series(tmp_path / "a", volume)
    write_series(tmp_path / "b", volume, suffix="")
    write_series(tmp_path / "c", volume, suffix=".840.17")
    for folder in "bc":
        mark = (tmp_path / folder).iterdir().__next__().read_bytes()[:132]
        for name in ("DICOMDIR", "notes.txt", ".hidden"):
            (tmp_path / folder / name).write_bytes(mark)
        (tmp_path / folder / "LOCKFILE").write_bytes(b"empty")
        (tmp_path / folder / "IMAGES").mkdir()
    due, geometry = SeriesReader().image(list_slices(tmp_path / "a")[0])
    assert due.shape == (1, 5, 6, 3)
    for folder in "bc":
        slices = list_slices(tmp_path / folder)
        assert len(slices) == 3
        read, other = SeriesReader().image(slices[-1])
        np.testing.assert_array_equal(read, due)
        assert other.affine == geometry.affine


def test_a_file_of_several_frames_is_refused_and_not_read_as_its_first(tmp_path: Path) -> None:
    pixels = np.zeros((2, 6, 5), np.int16)
    write_series(tmp_path, pixels[:1], NumberOfFrames=2, PixelData=pixels.tobytes())
    with pytest.raises(DataError, match=r"IM0001\.dcm: 2 frames in one DICOM file\. Give one file per slice"):
        SeriesReader().image(tmp_path / "IM0001.dcm")


def test_a_file_of_several_values_per_pixel_is_refused(tmp_path: Path) -> None:
    colour: dict[str, Any] = {"SamplesPerPixel": 3, "PhotometricInterpretation": "RGB", "PlanarConfiguration": 0}
    colour |= {"BitsAllocated": 8, "BitsStored": 8, "HighBit": 7, "PixelRepresentation": 0, "PixelData": bytes(90)}
    write_series(tmp_path, np.zeros((1, 6, 5), np.int16), **colour)
    with pytest.raises(DataError, match=r"IM0001\.dcm: 3 values per pixel in one DICOM file"):
        SeriesReader().image(tmp_path / "IM0001.dcm")


@pytest.mark.parametrize(
    ("elements", "message"),
    [
        ({}, r"x1\.dcm: at the position of IM000\d\.dcm"),
        ({"ImageOrientationPatient": [0, 1, 0, 0, 0, -1]}, r": another direction or pixel size than "),
        ({"PixelSpacing": [1.5, 1.3]}, r": another direction or pixel size than "),
    ],
)
def test_a_folder_with_two_series_is_refused(elements: dict[str, Any], message: str, tmp_path: Path) -> None:
    write_series(tmp_path / "a", np.zeros((3, 6, 5), np.int16))
    write_series(tmp_path / "b", np.zeros((1, 6, 5), np.int16), **elements)
    (tmp_path / "b" / "IM0001.dcm").rename(tmp_path / "a" / "x1.dcm")
    with pytest.raises(DataError, match=message + r".*Put the slices of each series into a folder of their own"):
        SeriesReader().image(tmp_path / "a" / "x1.dcm")
