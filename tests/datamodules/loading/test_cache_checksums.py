"""A prepared case that was damaged or edited in the cache is found at its first reading, and prepared again."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from datamodules.loading.cache import Cache
from datamodules.loading.entry import Entry
from zoo.errors import DataError
from zoo.preprocessing.apply import PreparedCase
from zoo.types import Geometry

GEOMETRY = Geometry(((1.0, 0.0), (0.0, 1.0)), (2, 3), ((0, 2), (0, 3)), (1.0, 2.0), "mm", Path("a.nii"))


def pack() -> Iterator[tuple[str, PreparedCase]]:
    for number, name in enumerate("abc"):
        image, label = np.full((1, 2, 3), number, np.float32), np.ones((1, 2, 3), np.uint8)
        native = np.full((4, 3 + number), number, np.uint8)
        yield name, PreparedCase(image, label, GEOMETRY, native, np.zeros((0, 3), np.int32))


def never(*_: object) -> Any:
    raise AssertionError("the source was read again")


def _flip(key: str) -> Callable[[Path], None]:
    """Return a function that flips one bit of an array of the case b."""

    def spoil(entry: Path) -> None:
        start = json.loads((entry / "table.json").read_text())["cases"]["b"]["arrays"][key][0]
        content = bytearray((entry / "arrays.bin").read_bytes())
        content[start + 3] ^= 64
        (entry / "arrays.bin").write_bytes(content)

    return spoil


def _edit(change: Callable[[dict[str, Any]], object]) -> Callable[[Path], None]:
    """Return a function that changes the description of the case b."""

    def spoil(entry: Path) -> None:
        table = json.loads((entry / "table.json").read_text())
        change(table["cases"]["b"])
        (entry / "table.json").write_text(json.dumps(table))

    return spoil


@pytest.mark.parametrize(
    "spoil",
    [
        *(_flip(key) for key in ("image", "label", "native")),
        _edit(lambda case: case["geometry"].update(spacing=[1.0, 2.5])),
        _edit(lambda case: case["geometry"].update(crop=[[0, 1], [0, 3]])),
        _edit(lambda case: case["arrays"]["image"].__setitem__(0, 64)),
        _edit(lambda case: case["arrays"]["image"].__setitem__(1, [1, 7, 9])),
        _edit(lambda case: case["arrays"]["image"].__setitem__(2, "|O")),
        _edit(lambda case: case["arrays"].pop("native")),
        _edit(lambda case: case.pop("checksum")),
    ],
)
def test_a_case_with_a_flipped_bit_or_an_edited_geometry_is_prepared_again(
    spoil: Callable[[Path], None], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    cache = Cache(tmp_path)
    before = {name: cache.read("k", name, pack) for name in "abc"}
    assert "damaged" not in caplog.text
    spoil(tmp_path / "k")
    fresh = Cache(tmp_path)
    fresh.entry("k", never)  # opening reads no array
    assert fresh.read("k", "a", never).geometry == before["a"].geometry, "the other cases are sound"
    found = fresh.read("k", "b", pack)
    assert f"{tmp_path / 'k'}: the prepared case b is damaged; it is prepared again" in caplog.text
    assert found.geometry == before["b"].geometry
    for one, other in zip(found, pack_case("b"), strict=True):
        if isinstance(other, np.ndarray):
            np.testing.assert_array_equal(one, other)
    assert Cache(tmp_path).read("k", "b", never).geometry == before["b"].geometry, "it is kept"


def pack_case(name: str) -> PreparedCase:
    return dict(pack())[name]


def test_exchanged_cases_of_an_entry_are_prepared_again(tmp_path: Path) -> None:
    Cache(tmp_path).entry("k", pack)
    table = json.loads((tmp_path / "k" / "table.json").read_text())
    table["cases"]["a"], table["cases"]["b"] = table["cases"]["b"], table["cases"]["a"]
    (tmp_path / "k" / "table.json").write_text(json.dumps(table))
    assert Cache(tmp_path).read("k", "a", pack).image[0, 0, 0] == 0.0


def test_the_checksum_is_compared_once_per_process_and_case(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Cache(tmp_path).entry("k", pack)
    compared: list[str] = []
    compare = Entry.is_intact

    def count(entry: Entry, name: str) -> bool:
        compared.append(name)
        return compare(entry, name)

    monkeypatch.setattr(Entry, "is_intact", count)
    cache = Cache(tmp_path)
    for name in "abcabc":
        cache.read("k", name, never)
    assert compared == ["a", "b", "c"]


def test_a_disk_that_keeps_nothing_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Entry, "is_intact", lambda entry, name: False)
    with pytest.raises(DataError, match="is damaged as soon as it is written"):
        Cache(tmp_path).read("k", "b", pack)


def test_an_entry_that_another_process_has_made_again_meanwhile_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Cache(tmp_path).entry("k", pack)
    answers = iter([False])  # the first reader sees the damage
    monkeypatch.setattr(Entry, "is_intact", lambda entry, name: next(answers, True))
    assert Cache(tmp_path).read("k", "b", never).image[0, 0, 0] == 1.0
