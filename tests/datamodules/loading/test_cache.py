"""The cache of prepared cases: entries, their keys, and damaged or outdated ones."""

from __future__ import annotations

import json
import mmap
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import datamodules.loading.cache
from datamodules.bases.base import SegDataModule
from datamodules.build import build_datamodule
from datamodules.cli import main
from datamodules.loading.cache import OPEN, Cache, entry_key
from tests.helpers.data_sets import make_hippocampus, make_qata, write_png
from zoo.errors import DataError
from zoo.preprocessing.apply import PreparedCase
from zoo.types import Geometry

GEOMETRY = Geometry(((1.0, 0.0), (0.0, 1.0)), (2, 3), ((0, 2), (0, 3)), (1.0, 2.0), "mm", Path("a.nii"))


def made(value: float = 1.0) -> PreparedCase:
    image = np.full((1, 2, 3), value, dtype=np.float32)
    return PreparedCase(image, np.ones((1, 2, 3), np.uint8), GEOMETRY, None, np.zeros((0, 3), np.int32))


def never(*_: object) -> Any:
    raise AssertionError("the source was read again")


def test_an_entry_is_made_once(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "c")
    first = cache.get("k", made)
    again = cache.get("k", never)
    assert not again.image.flags.writeable  # a view of the memory map
    np.testing.assert_array_equal(first.image, again.image)
    assert again.geometry == GEOMETRY
    assert again.native is None
    assert again.foreground is not None
    assert again.foreground.shape == (0, 3)


def pack() -> Iterator[tuple[str, PreparedCase]]:
    for number, name in enumerate("abc"):
        native = np.full((4, 3 + number), number, np.uint8)
        yield name, made(float(number))._replace(native=native)


def test_an_entry_with_many_cases_returns_each_unchanged(tmp_path: Path) -> None:
    entry = Cache(tmp_path).entry("k", pack)
    again = Cache(tmp_path).entry("k", never)
    for opened in (entry, again):
        for name, case in pack():
            found = opened[name]
            assert found.geometry == case.geometry
            for one, other in zip(found, case, strict=True):
                if isinstance(other, np.ndarray):
                    assert isinstance(one, np.ndarray)
                    assert one.dtype == other.dtype
                    np.testing.assert_array_equal(one, other)
    assert sorted(path.name for path in (tmp_path / "k").iterdir()) == ["arrays.bin", "table.json"]
    with pytest.raises(KeyError):
        again["d"]


@pytest.mark.parametrize(
    "fault", ["truncated", "absent", "longer", "empty", "table", "no table", "other table", "a file"]
)
def test_a_damaged_entry_is_made_again(tmp_path: Path, fault: str) -> None:
    Cache(tmp_path).get("k", made)
    block, table = tmp_path / "k" / "arrays.bin", tmp_path / "k" / "table.json"
    content = block.read_bytes()
    breaks: dict[str, Callable[[], object]] = {
        "truncated": lambda: block.write_bytes(content[:-4]),
        "absent": block.unlink,
        "longer": lambda: block.write_bytes(content + b"0"),
        "empty": lambda: block.write_bytes(b""),
        "table": lambda: table.write_text("{", encoding="utf-8"),
        "no table": table.unlink,
        "other table": lambda: table.write_text("[]", encoding="utf-8"),
        "a file": lambda: (tmp_path / "k").rename(tmp_path / "away") and (tmp_path / "k").write_bytes(b""),
    }
    breaks[fault]()
    assert Cache(tmp_path).get("k", lambda: made(2.0)).image.max() == 2.0
    assert Cache(tmp_path).get("k", never).image.max() == 2.0


def test_an_entry_is_opened_once(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    first = cache.get("k", made)
    shutil.rmtree(tmp_path / "k")
    assert cache.get("k", never).image.base is not None
    np.testing.assert_array_equal(cache.get("k", never).image, first.image)


def test_no_more_files_are_open_than_allowed(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    kept = [cache.get(f"k{number}", made).image.max() for number in range(OPEN + 20)]
    opened = [str(path.readlink()) for path in Path("/proc/self/fd").iterdir() if path.is_symlink()]
    held = sum(path.startswith(str(tmp_path)) and path.endswith("arrays.bin") for path in opened)
    assert len(kept) == OPEN + 20
    assert held <= OPEN


def test_a_changed_file_is_prepared_again_and_an_unchanged_one_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = make_hippocampus(tmp_path, 5)
    first = build_datamodule("hippocampus", "tiny", root=str(task))
    first.setup("fit")
    case = first.index.case("hippocampus_002")
    before = np.array(first.prepared(case).image)
    source = task / "imagesTr" / "hippocampus_003.nii.gz"
    case.images[0].write_bytes(source.read_bytes())
    label = task / "labelsTr" / "hippocampus_002.nii.gz"
    label.write_bytes((task / "labelsTr" / "hippocampus_003.nii.gz").read_bytes())
    second = build_datamodule("hippocampus", "tiny", root=str(task))
    after = second.prepared(second.index.case("hippocampus_002")).image
    assert before.shape != after.shape or not np.array_equal(before, after)
    read: list[str] = []
    monkeypatch.setattr("datamodules.bases.base.load_image", lambda case, *_: read.append(case.case_id))
    third = build_datamodule("hippocampus", "tiny", root=str(task))
    third.setup("fit")
    assert not read


def test_a_folder_that_cannot_be_written_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DataError, match="ZOO_CACHE"):
        Cache(tmp_path / "file" / "c").get("k", made)


def images(root: Path, **options: Any) -> SegDataModule:
    data = build_datamodule("qata_cov19", "tiny", root=str(root), batch_size=2, epoch_samples=4, **options)
    data.setup("fit")
    return data


def test_pictures_are_one_entry_for_every_split_fold_and_share(
    tmp_path: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = make_qata(tmp_path)
    first = images(root)
    entries = sorted((own_cache / "data" / "qata_cov19").glob("[!.]*"))
    assert len(entries) == 1
    values = {name: np.array(first.prepared(case).image) for name, case in first.cases.items()}
    monkeypatch.setattr("datamodules.bases.base.load_image", never)
    for options in ({}, {"train_share": 0.5}, {"fold": 0, "folds": 2}):
        again = images(root, **options)
        for name, case in again.cases.items():
            np.testing.assert_array_equal(again.prepared(case).image, values[name])
    assert sorted((own_cache / "data" / "qata_cov19").glob("[!.]*")) == entries


@pytest.mark.parametrize("which", ["image", "mask"])
def test_a_changed_picture_makes_a_new_entry(tmp_path: Path, own_cache: Path, which: str) -> None:
    root = make_qata(tmp_path)
    before = images(root)
    case = next(iter(before.cases.values()))
    changed = case.images[0] if which == "image" else case.label
    assert changed is not None
    picture = np.zeros((32, 32), np.uint8)
    old = before.prepared(case)
    write_png(changed, picture)
    new = images(root).prepared(case)
    assert len(list((own_cache / "data" / "qata_cov19").glob("[!.]*"))) == 2
    assert not np.array_equal(old.image, new.image) or not np.array_equal(old.label, new.label)  # type: ignore[arg-type]


def test_threads_prepare_the_same_arrays(tmp_path: Path, own_cache: Path) -> None:
    for make, name in ((make_hippocampus, "hippocampus"), (make_qata, "qata_cov19")):
        root = make(tmp_path)
        kept = []
        for workers in ("1", "4"):
            shutil.rmtree(own_cache / "data", ignore_errors=True)
            assert main(["prepare", name, "--root", str(root), "--workers", workers]) == 0
            files = sorted((own_cache / "data" / name).rglob("arrays.bin"))
            kept.append([(file.parent.name, file.read_bytes()) for file in files])
        assert kept[0]
        assert kept[0] == kept[1]
    assert main(["prepare", "hippocampus", "--root", str(tmp_path), "--workers", "0"]) == 2


def test_arrays_begin_at_multiples_of_a_cache_line_and_entries_have_short_names(tmp_path: Path) -> None:
    Cache(tmp_path).entry("k", pack)
    cases = json.loads((tmp_path / "k" / "table.json").read_text())["cases"].values()
    starts = [place[0] for case in cases for place in case["arrays"].values()]
    assert len(starts) > 6
    assert {start % 64 for start in starts} == {0}
    assert re.fullmatch("[0-9a-f]{32}", entry_key([], {}))


def test_as_many_entries_stay_open_as_the_page_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datamodules.loading.cache, "files_to_keep_open", lambda most: most)
    assert Cache(tmp_path)._opened.cache_info().maxsize == 256


def test_parts_of_killed_processes_are_removed_when_another_entry_is_written(tmp_path: Path) -> None:
    for left in (".part-other-1", ".part-k-2"):
        (tmp_path / left).mkdir()
        (tmp_path / left / "arrays.bin").write_bytes(b"half")
    Cache(tmp_path).get("k", made)
    assert sorted(path.name for path in tmp_path.iterdir() if not path.name.startswith(".lock")) == ["k"]


def test_a_part_that_was_left_while_this_process_waited_is_removed(tmp_path: Path) -> None:
    """The writer that held the lock was killed, after this process had looked for such parts."""
    (tmp_path / ".part-k-2").mkdir()
    Cache(tmp_path)._write("k", [("", made())])
    assert [path.name for path in tmp_path.iterdir()] == ["k"]


def test_the_memory_of_an_entry_is_given_back_where_the_entry_exists(tmp_path: Path) -> None:
    cache, calls = Cache(tmp_path), list[int]()
    cache.release_memory("missing")
    cache.get("k", made)
    cache.entry("k", never)._block = SimpleNamespace(madvise=calls.append)  # type: ignore[assignment]
    cache.release_memory("k")
    assert calls == [mmap.MADV_DONTNEED]


def test_the_folder_of_a_cache_is_made_with_those_above_it(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "a" / "b" / "c")
    assert cache.get("k", made).image.shape == cache.get("l", made).image.shape == (1, 2, 3)
