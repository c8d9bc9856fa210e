"""Rasters: how a picture and a mask are read, and which files are refused."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from zoo.errors import DataError
from zoo.io import read_image, read_label
from zoo.io.pictures import PictureReader


@pytest.mark.parametrize("suffix", ["jpg", "png", "tif"])
def test_a_picture_that_is_stored_turned_is_refused(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    for turn, fits in ((1, True), (3, False), (6, False)):
        exif = Image.Exif()
        exif[0x0112] = turn
        Image.fromarray(np.full((8, 8), 9, np.uint8)).save(path, exif=exif)
        if fits:
            assert read_image(path)[0].mean() == 9
            continue
        with pytest.raises(DataError, match=rf"a\.{suffix}: stored turned or mirrored \(EXIF orientation {turn}\)"):
            read_image(path)


def test_several_pages_are_refused_and_a_preview_is_ignored(tmp_path: Path) -> None:
    first = Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8))
    first.save(tmp_path / "stack.tif", save_all=True, append_images=[first, first])
    with pytest.raises(DataError, match=r"stack\.tif: a stack of 3 pages"):
        read_image(tmp_path / "stack.tif")
    first.save(tmp_path / "preview.tif", save_all=True, append_images=[first.resize((4, 4))])
    assert np.array_equal(read_image(tmp_path / "preview.tif")[0], np.asarray(first))


def test_a_mask_with_a_colour_palette_is_read_by_its_indices(tmp_path: Path) -> None:
    values = np.arange(16, dtype=np.uint8).reshape(4, 4) % 3
    mask = Image.fromarray(values)
    mask.putpalette([0, 0, 0, 128, 0, 0, 0, 128, 0])
    mask.save(tmp_path / "m.png")
    assert np.array_equal(read_label(tmp_path / "m.png")[0], values)
    mask = Image.fromarray(values)
    mask.putpalette([0, 0, 0, 255, 255, 255, 100, 100, 100])
    mask.save(tmp_path / "m.png")
    assert np.array_equal(read_label(tmp_path / "m.png")[0], np.array([0, 255, 100])[values])


def test_a_palette_with_colours_holds_indices_whichever_of_them_a_file_uses(tmp_path: Path) -> None:
    """In the palette of VOC class 7 is gray; a file with that class alone must not be read by its gray."""
    for number in (1, 2):
        values = np.zeros((4, 4), np.uint8)
        values[1:3, 1:3] = number
        mask = Image.fromarray(values)
        mask.putpalette([0, 0, 0, 128, 0, 0, 128, 128, 128])
        mask.save(tmp_path / "m.png")
        assert np.array_equal(read_label(tmp_path / "m.png")[0], values)


def test_a_mask_in_colour_is_refused_or_read_by_colour(tmp_path: Path) -> None:
    """(128, 0, 0) and (0, 64, 0) have one gray, 38."""
    colours = np.zeros((4, 6, 3), np.uint8)
    colours[1, 1:3], colours[2, 3:5] = (128, 0, 0), (0, 64, 0)
    path = tmp_path / "m.png"
    Image.fromarray(colours).save(path)
    with pytest.raises(DataError, match=r"m\.png: a mask in colour, for instance #800000\. Name the classes by"):
        read_label(path)
    label, geometry = PictureReader(colours=(0x800000, 0x004000)).label(path)
    assert geometry.shape == (4, 6)
    assert np.unique(label).tolist() == [0, 0x004000, 0x800000]
    assert (label[1, 1:3] == 0x800000).all()
    with pytest.raises(DataError, match=r"m\.png: colours without a class: #004000\. The classes are #800000"):
        PictureReader(colours=(0x800000,)).label(path)


def test_the_noise_of_a_jpeg_makes_no_colour_of_a_gray_mask(tmp_path: Path) -> None:
    values = np.zeros((32, 32, 3), np.uint8)
    values[8:24, 8:24] = 255
    Image.fromarray(values).save(tmp_path / "m.jpg", quality=60)
    assert set(np.unique(PictureReader(black_white=True).label(tmp_path / "m.jpg")[0])) == {0, 255}


def test_a_mask_in_the_transparency_channel_is_refused(tmp_path: Path) -> None:
    shape = np.zeros((4, 4), np.uint8)
    shape[1:3, 1:3] = 255
    for colour in (0, 255):  # one colour for all pixels: only the fourth channel shows the shape
        Image.fromarray(np.dstack([np.full((4, 4, 3), colour, np.uint8), shape])).save(tmp_path / "m.png")
        with pytest.raises(DataError, match=r"m\.png: a mask that is partly transparent"):
            read_label(tmp_path / "m.png")
    for seen in (shape, np.full_like(shape, 255)):
        Image.fromarray(np.dstack([shape, shape, shape, seen])).save(tmp_path / "m.png")
        assert np.array_equal(read_label(tmp_path / "m.png")[0], shape)


def claim_size(path: Path, width: int, height: int) -> Path:
    """Write a small PNG whose header claims another size."""
    Image.new("L", (1, 1)).save(path)
    raw = bytearray(path.read_bytes())
    raw[16:24] = struct.pack(">II", width, height)
    raw[29:33] = struct.pack(">I", zlib.crc32(raw[12:29]))
    path.write_bytes(raw)
    return path


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("side", [9_000, 13_000, 40_000])
def test_a_picture_of_too_many_pixels_is_refused_by_its_header(tmp_path: Path, side: int) -> None:
    path = claim_size(tmp_path / "a.png", side, side)
    for read in (read_image, read_label, PictureReader(channels=3).image, PictureReader().label):
        with pytest.raises(
            DataError, match=rf"a\.png: a picture of {side**2} pixels, .* ZOO_LIMITS=pixels={side**2}\.$"
        ):
            read(path)


def test_the_limit_of_pixels_can_be_raised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", Image.MAX_IMAGE_PIXELS)
    monkeypatch.setenv("ZOO_LIMITS", "pixels=2000000000")
    with pytest.raises(DataError, match="truncated or unreadable"):
        read_image(claim_size(tmp_path / "a.png", 40_000, 40_000))


@pytest.mark.parametrize("kind", ["EPS", "PDF"])
def test_a_file_that_another_program_would_run_is_no_picture(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "a.png"
    Image.new("L", (4, 4)).save(path, format=kind)
    with pytest.raises(DataError, match=r"a\.png: truncated or unreadable \(cannot identify image file"):
        read_image(path)
