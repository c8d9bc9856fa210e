"""An image is read, prepared and stored once for all its queries."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from datamodules.loading.cache import Cache
from datamodules.loading.entry import TABLE
from tests.helpers.query_set import CARD, QUERIES, TwoQueries, make_query_set
from zoo.registry import DATA
from zoo.types import Case


class Volumes(TwoQueries):
    """The same pictures, stored like volumes: one entry per image."""

    def load_image(self, case: Case):  # type: ignore[no-untyped-def]  # noqa: ANN201
        """Count the images that are read."""
        self.__dict__.setdefault("read", []).append(case.case_id)
        return super().load_image(case)


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Volumes:
    monkeypatch.setattr(DATA, "_sources", {**DATA._find(), CARD.name: lambda: CARD})
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "cache"))
    (tmp_path / "two_queries").mkdir()
    root = make_query_set(tmp_path / "two_queries")
    return Volumes(root=str(root), patch=[32, 32], batch_size=4, epoch_samples=4, num_workers=0)


@pytest.mark.parametrize("as_one", [True, False], ids=["one entry for all", "one entry per image"])
def test_an_image_is_read_and_stored_once(data: Volumes, as_one: bool) -> None:
    data.prepared_cases._as_one = as_one
    for case in data.cases.values():
        data.prepared(case)
    assert sorted(data.__dict__["read"]) == sorted({case.case_id for case in data.cases.values()})
    cache = data.prepared_cases._cache
    assert isinstance(cache, Cache)
    tables = [json.loads((folder / TABLE).read_text())["cases"] for folder in cache.folder.glob("[!.]*")]
    assert len(tables) == (1 if as_one else len(data.cases) // len(QUERIES))
    for table in tables:
        places: dict[str, set[int]] = {}
        for name, case in table.items():
            places.setdefault(name.split("__")[0], set()).add(case["arrays"]["image"][0])
        assert all(len(found) == 1 for found in places.values())


def test_a_query_has_the_arrays_of_an_image_that_is_prepared_alone(data: Volumes) -> None:
    data.prepared_cases._as_one = False
    for case in list(data.cases.values())[:6]:
        found, alone = data.prepared(case), data.load(case)
        np.testing.assert_array_equal(found.image, alone.image)
        np.testing.assert_array_equal(np.asarray(found.label), np.asarray(alone.label))


def test_a_damaged_image_is_prepared_again_for_each_of_its_queries(data: Volumes) -> None:
    data.prepared_cases._as_one = False
    first, second = list(data.cases.values())[:2]
    before = np.array(data.prepared(first).image)
    cache = data.prepared_cases._cache
    assert isinstance(cache, Cache)
    [folder] = cache.folder.glob("[!.]*")
    block = folder / "arrays.bin"
    content = bytearray(block.read_bytes())
    content[100] ^= 255
    block.write_bytes(content)
    again = Volumes(root=data.root, patch=[32, 32], num_workers=0)
    again.prepared_cases._as_one = False
    for case in (second, first):
        np.testing.assert_array_equal(again.prepared(again.index.case(*case.key)).image, before)
