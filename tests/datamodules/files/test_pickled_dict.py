"""A pickled dictionary is read without running anything of it, and everything else is refused."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from datamodules.files.pickled_dict import parse_pickled_dict
from tests.helpers.hostile_files import Code

TEXTS = {"1": "Liver, ventrale Fl\u00e4che", "2": "x" * 300, "instance_label": 0, "checked": True, "large": 2**40}


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_texts_numbers_and_truth_values_come_back(protocol: int) -> None:
    for thing in (TEXTS, np.array(TEXTS, dtype=object)):
        assert parse_pickled_dict(pickle.dumps(thing, protocol)) == TEXTS


def test_the_frame_of_numpy_1_is_known() -> None:
    content = pickle.dumps(np.array(TEXTS, dtype=object), 3).replace(b"numpy._core", b"numpy.core")
    assert parse_pickled_dict(content) == TEXTS


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_nothing_of_a_hostile_pickle_runs(protocol: int, tmp_path: Path) -> None:
    trap = tmp_path / "ran"
    for thing in (Code(trap), {"1": Code(trap)}, np.array({"1": Code(trap)}, dtype=object)):
        content = pickle.dumps(thing, protocol)
        with pytest.raises(ValueError, match=r"it names|it has the opcode"):
            parse_pickled_dict(content)
        assert not trap.exists()
        pickle.loads(content)  # noqa: S301 - the trap works
        assert trap.exists()
        trap.unlink()


@pytest.mark.parametrize(
    ("thing", "message"),
    [
        ({"1": ["Liver"]}, "the value of '1' is no text, whole number or truth value"),
        ({"1": None}, "the value of '1' is no text"),
        ({"1": 0.5}, "the opcode BINFLOAT"),
        ({1: "Liver"}, "the key 1, which is no text"),
        ({"1": np.int64(3)}, "it names numpy._core.multiarray.scalar"),
        (["Liver"], r"it holds no dictionary \(list\)"),
        (np.array([TEXTS, TEXTS], dtype=object), "not exactly one item without axes"),
        (np.dtype("O"), "it is no array"),
    ],
)
def test_other_content_is_refused(thing: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_pickled_dict(pickle.dumps(thing, 4))


@pytest.mark.parametrize(
    "content",
    [
        *(b"", b".", b"garbage", b"\x80\x04.", b"\x80\x04}(.", b"\x80\x04(u.", b"\x80\x04R."),
        *(b"\x80\x04h\x07.", b"\x80\x04}}.", pickle.dumps(TEXTS)[:-4], b"\x80\x04}(X\x01\x00\x00\x00aK\x01u"),
        b"\x80\x04}(X\x01\x00\x00\x00aK\x01X\x01\x00\x00\x00aK\x02u.",
    ],
)
def test_damaged_content_is_one_line(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"^[^\n]+$"):
        parse_pickled_dict(content)


def test_random_damage_never_ends_in_another_error() -> None:
    rng = np.random.default_rng(0)
    whole = np.frombuffer(pickle.dumps(np.array({"1": "Liver", "instance_label": 0}, dtype=object), 4), np.uint8)
    refused = 0
    for _ in range(500):
        content = whole.copy()
        content[rng.integers(len(content), size=3)] = rng.integers(256, size=3)
        try:
            parse_pickled_dict(content.tobytes())
        except ValueError:
            refused += 1
    assert refused > 300
