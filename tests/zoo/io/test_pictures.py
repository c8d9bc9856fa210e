"""Pictures and black-and-white masks: the values that are read, and the masks that are refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.helpers.image_sets import (
    write_picture,
)
from zoo.errors import DataError
from zoo.io.pictures import PictureReader, to_black_white


def test_masks_with_noise_or_smooth_edges_become_black_and_white(tmp_path: Path) -> None:
    path = tmp_path / "mask.png"
    clean = np.zeros((20, 20), np.int32)
    clean[5:12, 5:12] = 255
    assert (to_black_white(clean // 255, path) == clean).all()
    assert (to_black_white(clean, path) == clean).all()
    assert not to_black_white(np.zeros((4, 4), np.int32), path).any()
    noisy = np.clip(clean + np.random.default_rng(0).integers(-8, 9, clean.shape), 0, 255).astype(np.int32)
    assert (to_black_white(noisy, path) == clean).all()
    coloured = write_picture(tmp_path / "c.png", np.repeat(clean.astype(np.uint8)[..., None], 3, axis=2))
    assert (PictureReader(channels=3).label(coloured)[0] == clean).all()
    soft = np.clip(clean, 0, 255)
    soft[4, 5:12], soft[12, 5:12] = 100, 140  # a smooth edge
    assert (to_black_white(soft, path)[12, 5:12] == 255).all()
    assert not to_black_white(soft, path)[4].any()
    numbered = np.arange(400, dtype=np.int32).reshape(20, 20)
    eight = numbered % 256  # a number per object, and one of them is white
    few = np.where(clean > 0, 3, 0)
    for unusable in (np.where(clean > 0, 76, 0), np.where(np.eye(20, dtype=bool), 255, 100), numbered, eight, few):
        with pytest.raises(DataError, match=r"mask\.png: not a black-and-white mask"):
            to_black_white(unusable.astype(np.int32), path)


def test_pictures_with_8_and_16_bits_are_read_with_one_or_three_channels(tmp_path: Path) -> None:
    deep = np.arange(64, dtype=np.uint16).reshape(8, 8) * 1000
    path = write_picture(tmp_path / "deep.png", deep)
    for channels in (1, 3):
        array, geometry = PictureReader(channels=channels).image(path)
        assert array.shape == (channels, 8, 8)
        assert array.max() == 63000
        assert geometry.unit == "px"
    colours = write_picture(tmp_path / "c.png", np.random.default_rng(0).integers(0, 255, (8, 8, 3), dtype=np.uint8))
    with pytest.raises(DataError, match=r"c\.png: a colour picture"):
        PictureReader(gray_only=True).image(colours)
    with pytest.raises(DataError, match="no such file"):
        PictureReader(channels=3).image(tmp_path / "absent.png")
