"""DICOM files that crash the reader, or claim too much, end with one line and not with the program."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.helpers.volume_sets import write_dicom
from zoo.errors import DataError
from zoo.io.dicom import SeriesReader
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
