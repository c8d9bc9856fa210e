from __future__ import annotations

import multiprocessing
import os
import signal
from pathlib import Path

import numpy as np
import pytest

from datamodules.build import build_data
from datamodules.cache import Cache, entry_key, preparing_code
from datamodules.prepare import Prepared
from tests.datamodules.fixtures import make_hippocampus
from zoo.errors import DataError
from zoo.types import Geometry

GEOMETRY = Geometry(((1.0, 0.0), (0.0, 1.0)), (2, 3), ((0, 2), (0, 3)), (1.0, 2.0), "mm", Path("a.nii"))


def made(value: float = 1.0) -> Prepared:
    image = np.full((1, 2, 3), value, dtype=np.float32)
    return Prepared(image, np.ones((1, 2, 3), np.uint8), GEOMETRY, None, np.zeros((0, 3), np.int32))


def never() -> Prepared:
    raise AssertionError("the source was read again")


def test_second_time_nothing_is_made(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "c")
    first = cache.get("k", made)
    again = cache.get("k", never)
    assert isinstance(again.image, np.memmap)
    np.testing.assert_array_equal(first.image, again.image)
    assert again.geometry == GEOMETRY
    assert again.native is None
    assert again.foreground is not None
    assert again.foreground.shape == (0, 3)


@pytest.mark.parametrize("fault", ["truncated", "absent", "other", "facts"])
def test_a_broken_entry_is_made_anew(tmp_path: Path, fault: str) -> None:
    cache = Cache(tmp_path)
    cache.get("k", made)
    image = tmp_path / "k" / "image.npy"
    if fault == "truncated":
        image.write_bytes(image.read_bytes()[:-4])
    elif fault == "absent":
        image.unlink()
    elif fault == "other":
        np.save(image, np.zeros((1, 5), np.float32))
    else:
        (tmp_path / "k" / "facts.json").write_text("{", encoding="utf-8")
    assert cache.get("k", lambda: made(2.0)).image.max() == 2.0
    assert cache.get("k", never).image.max() == 2.0


def _killed_before_rename(folder: Path) -> None:
    Path.replace = lambda self, target: os.kill(os.getpid(), signal.SIGKILL)  # type: ignore[method-assign, assignment, return-value]
    Cache(folder).get("k", made)


def test_killed_between_writing_and_renaming_leaves_no_entry(tmp_path: Path) -> None:
    process = multiprocessing.get_context("fork").Process(target=_killed_before_rename, args=(tmp_path,))
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL
    assert list(tmp_path.glob(".part-k-*"))
    assert not (tmp_path / "k").exists()
    assert Cache(tmp_path).get("k", lambda: made(3.0)).image.max() == 3.0


def _count(folder: Path, barrier: object) -> None:
    def slowly() -> Prepared:
        with (folder / "count").open("a") as file:
            file.write("x")
        return made()

    barrier.wait()  # type: ignore[attr-defined]
    Cache(folder / "c").get("k", slowly)


def test_two_processes_make_it_once(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    barrier = context.Barrier(2)
    processes = [context.Process(target=_count, args=(tmp_path, barrier)) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
        assert process.exitcode == 0
    assert (tmp_path / "count").read_text() == "x"


def test_key_follows_the_file_and_the_recipe(tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_text("one")
    key = entry_key([file], {"spacing": 1})
    assert key == entry_key([file], {"spacing": 1})
    assert key != entry_key([file], {"spacing": 2})
    file.write_text("other")
    assert key != entry_key([file], {"spacing": 1})
    with pytest.raises(DataError, match="missing"):
        entry_key([tmp_path / "missing"], {})


def test_a_changed_source_is_prepared_anew_and_a_known_one_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = make_hippocampus(tmp_path, 5)
    first = build_data("hippocampus", "tiny", root=str(task))
    first.setup("fit")
    case = first.cases["hippocampus_002"]
    before = np.array(first.prepared(case).image)
    source = task / "imagesTr" / "hippocampus_003.nii.gz"
    case.images[0].write_bytes(source.read_bytes())
    label = task / "labelsTr" / "hippocampus_002.nii.gz"
    label.write_bytes((task / "labelsTr" / "hippocampus_003.nii.gz").read_bytes())
    second = build_data("hippocampus", "tiny", root=str(task))
    after = second.prepared(second.cases["hippocampus_002"]).image
    assert before.shape != after.shape or not np.array_equal(before, after)
    read: list[str] = []
    monkeypatch.setattr("datamodules.base.load_case", lambda case, *_: read.append(case.case_id))
    third = build_data("hippocampus", "tiny", root=str(task))
    third.setup("fit")
    assert not read


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DataError, match="ZOO_CACHE"):
        Cache(tmp_path / "file" / "c").get("k", made)


def test_changed_code_makes_entries_stale(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import datamodules.hippocampus as module

    before = preparing_code([module.Hippocampus])
    assert before == preparing_code([module.Hippocampus])
    copy = tmp_path / "hippocampus.py"
    copy.write_text(Path(str(module.__file__)).read_text(encoding="utf-8") + "# another line", encoding="utf-8")
    monkeypatch.setattr(module, "__file__", str(copy))
    assert before != preparing_code([module.Hippocampus])
