"""The keys of the cache of prepared cases: they depend on files, preparation and code, and on no module path."""

from __future__ import annotations

import importlib.util
import os
import sys
import time
from pathlib import Path

import pytest

import datamodules.loading.cache
from datamodules.bases.base import SegDataModule
from datamodules.loading.cache import entry_key, preparing_code
from zoo.errors import DataError
from zoo.io.readers import Reader
from zoo.preprocessing.apply import PreparedCase
from zoo.types import Case


def test_the_key_depends_on_the_file_and_on_the_preparation(tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_text("one")
    key = entry_key([file], {"spacing": 1})
    assert key == entry_key([file], {"spacing": 1})
    assert key != entry_key([file], {"spacing": 2})
    file.write_text("other")
    assert key != entry_key([file], {"spacing": 1})
    with pytest.raises(DataError, match="missing"):
        entry_key([tmp_path / "missing"], {})


def test_links_have_the_key_of_their_target_whether_or_not_folders_are_resolved_once(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    file = tmp_path / "real" / "a"
    file.write_text("one")
    (tmp_path / "folder").symlink_to(tmp_path / "real")
    (tmp_path / "file").symlink_to(file)
    folders: dict[Path, Path] = {}
    for path in (file, tmp_path / "folder" / "a", tmp_path / "file"):
        assert entry_key([path], {}) == entry_key([path], {}, folders) == entry_key([file], {})
    assert folders == {tmp_path / "real": tmp_path / "real", tmp_path / "folder": tmp_path / "real"}


def test_the_key_depends_on_a_change_that_keeps_size_and_time(tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_text("one")
    state, key = file.stat(), entry_key([file], {})
    time.sleep(0.05)  # longer than the tick of a file system's clock
    file.write_text("two")
    os.utime(file, ns=(state.st_atime_ns, state.st_mtime_ns))
    assert (file.stat().st_size, file.stat().st_mtime_ns) == (state.st_size, state.st_mtime_ns)
    assert entry_key([file], {}) != key


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("datamodules.loading.foreground.PER_CLASS", 10),
        ("datamodules.loading.cache._ALIGN", 128),
        ("zoo.preprocessing.apply._CHUNK", 10),
        ("zoo.io.image._NOISE", 0.1),
        ("zoo.io.same_grid.TOLERANCE", 0.5),
        ("zoo.io.image._voxels", lambda image, path, dtype: image),
    ],
)
def test_a_changed_constant_or_function_makes_entries_outdated(
    monkeypatch: pytest.MonkeyPatch, place: str, value: object
) -> None:
    before = preparing_code([Reader])
    assert before == preparing_code([Reader])
    monkeypatch.setattr(place, value)
    assert before != preparing_code([Reader])


def test_a_function_that_moves_to_another_module_makes_no_entry_outdated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = preparing_code([Reader])
    for name in ("zoo.preprocessing.apply", "zoo.io.same_grid", "zoo.io.image"):
        module = sys.modules[name]
        copy = tmp_path / f"moved_{name.rpartition('.')[2]}.py"
        copy.write_text("# moved\n" + Path(str(module.__file__)).read_text(encoding="utf-8"), encoding="utf-8")
        spec = importlib.util.spec_from_file_location(f"zoo.elsewhere.{copy.stem}", copy)
        assert spec is not None
        assert spec.loader is not None
        moved = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, spec.name, moved)
        spec.loader.exec_module(moved)
        names = [key for key, value in vars(module).items() if getattr(value, "__module__", "") == name]
        for user in [one for key, one in sys.modules.items() if key.startswith(("zoo.", "datamodules."))]:
            for key in names:
                if getattr(user, key, None) is getattr(module, key) and user is not module:
                    monkeypatch.setattr(user, key, getattr(moved, key))
    assert vars(datamodules.loading.cache)["load_case"].__module__ == "zoo.elsewhere.moved_apply"
    assert preparing_code([Reader]) == before


def test_a_data_set_that_makes_its_own_arrays_counts_with_its_code() -> None:
    class Own(SegDataModule):
        def load(self, case: Case) -> PreparedCase:
            raise DataError(str(case), f"level {self.level()}")  # the code counts, and nobody calls it

        def level(self) -> float:
            return 1.0

    class Other(Own):
        def level(self) -> float:
            return 2.0

    common = SegDataModule.__mro__
    keys = [preparing_code([Reader, *own], common) for own in ([], [Own], [Other])]
    assert len(set(keys)) == 3
