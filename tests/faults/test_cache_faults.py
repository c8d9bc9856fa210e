"""After a kill, a full disk or several processes at once, the cache has complete entries or none."""

from __future__ import annotations

import multiprocessing
import os
import resource
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from datamodules.loading.cache import Cache
from tests.helpers.full_disk import FullDisk
from zoo.errors import DataError
from zoo.preprocessing.apply import PreparedCase
from zoo.types import Geometry

SIDE = 64
NAMES = ("a", "b", "c")
CONTEXT = multiprocessing.get_context("forkserver")  # a fork of this process may hang, because torch has threads
CONTEXT.set_forkserver_preload(
    ["datamodules.loading.cache"]
)  # imports take seconds and are done once for all processes


def case(number: int, side: int = SIDE) -> PreparedCase:
    shape = (side, side)
    image = np.random.default_rng(number).standard_normal((1, *shape), dtype=np.float32)
    geometry = Geometry(None, shape, ((0, side), (0, side)), (1.0, 1.0), "px")
    return PreparedCase(image, np.full((1, *shape), number, np.uint8), geometry)


def cases(before: Callable[[int], object] = lambda number: None) -> Iterator[tuple[str, PreparedCase]]:
    for number, name in enumerate(NAMES):
        before(number)
        yield name, case(number)


def never() -> Any:
    raise AssertionError("it was made again")


def die(*_: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def check_complete(folder: Path, make: Callable[[], Any]) -> None:
    entry = Cache(folder).entry("k", make)
    for number, name in enumerate(NAMES):
        np.testing.assert_array_equal(entry[name].image, case(number).image)
        np.testing.assert_array_equal(entry[name].label, case(number).label)


def ends(process: Any, code: int) -> None:
    process.start()
    process.join(60)
    assert process.exitcode == code


def _dying(folder: Path, moment: str) -> None:
    replace = Path.replace

    def rename_and_die(self: Path, target: Path) -> None:
        replace(self, target)
        die()

    if moment == "before the table":
        os.fsync = die  # type: ignore[assignment]
    elif moment == "before the rename":
        Path.replace = die  # type: ignore[method-assign, assignment]
    elif moment == "after the rename":
        Path.replace = rename_and_die  # type: ignore[method-assign, assignment]
    Cache(folder).entry("k", lambda: cases(lambda number: die() if moment == f"case {number}" else None))


@pytest.mark.parametrize(
    "moment", ["case 0", "case 1", "case 2", "before the table", "before the rename", "after the rename"]
)
def test_writer_that_is_killed_at_any_moment_leaves_no_incomplete_entry(tmp_path: Path, moment: str) -> None:
    ends(CONTEXT.Process(target=_dying, args=(tmp_path, moment)), -signal.SIGKILL)
    survived = moment == "after the rename"
    assert (tmp_path / "k").exists() == survived
    assert bool(list(tmp_path.glob(".part-*"))) != survived
    check_complete(tmp_path, never if survived else cases)
    assert not list(tmp_path.glob(".part-*"))


def _writing_on(folder: Path) -> None:
    Cache(folder).entry("k", lambda: ((str(number), case(number, 1024)) for number in range(10_000)))


def test_writer_that_is_killed_while_writing_leaves_no_incomplete_entry(tmp_path: Path) -> None:
    process = CONTEXT.Process(target=_writing_on, args=(tmp_path,))
    process.start()
    deadline = time.monotonic() + 60
    while not sum(path.stat().st_size for path in tmp_path.glob(".part-*/arrays.bin")) > 2**23:
        assert time.monotonic() < deadline
        time.sleep(0.005)
    process.kill()
    process.join(60)
    check_complete(tmp_path, cases)
    assert not list(tmp_path.glob(".part-*"))


def test_files_of_killed_processes_are_removed_and_those_of_running_ones_are_kept(tmp_path: Path) -> None:
    def before(number: int) -> None:
        if number == 1:
            Cache(tmp_path).get("other", lambda: case(9))
            assert not (tmp_path / ".part-dead-123").exists()
            assert list(tmp_path.glob(".part-k-*"))

    (tmp_path / ".part-dead-123").mkdir()
    (tmp_path / ".part-dead-123" / "arrays.bin").write_bytes(b"half")
    check_complete(tmp_path, lambda: cases(before))


@pytest.mark.parametrize("room", [0, SIDE**2 * 4, SIDE**2 * 4 + 70, SIDE**2 * 12])
def test_full_disk_is_reported_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, room: int) -> None:
    Cache(tmp_path).get("old", lambda: case(5))
    opened = Path.open

    def open_full(self: Path, mode: str = "r", *args: Any, **kwargs: Any) -> Any:
        file = opened(self, mode, *args, **kwargs)
        return FullDisk(file, room) if mode == "wb" else file

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", open_full)
        with pytest.raises(DataError, match=r"No space left on device.*ZOO_CACHE") as caught:
            Cache(tmp_path).entry("k", cases)
    assert "\n" not in str(caught.value)
    assert sorted(path.name for path in tmp_path.iterdir() if not path.name.startswith(".lock")) == ["old"]
    np.testing.assert_array_equal(Cache(tmp_path).get("old", never).image, case(5).image)
    check_complete(tmp_path, cases)


def _limited(folder: Path, limit: int) -> None:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    try:
        Cache(folder).entry("k", cases)
    except DataError as error:
        os._exit(7 if "cannot be written" in str(error) else 8)


@pytest.mark.parametrize("limit", [10, SIDE**2 * 5, SIDE**2 * 14])
def test_refused_write_is_reported_and_leaves_nothing(tmp_path: Path, limit: int) -> None:
    ends(CONTEXT.Process(target=_limited, args=(tmp_path, limit)), 7)
    assert not [path for path in tmp_path.iterdir() if not path.name.startswith(".lock")]
    check_complete(tmp_path, cases)


def _counting(folder: Path, barrier: Any) -> None:
    def tell(number: int) -> None:
        with (folder / "told").open("a") as file:
            file.write(str(number))
        time.sleep(0.02)

    barrier.wait()
    check_complete(folder / "cache", lambda: cases(tell))


def test_simultaneous_processes_prepare_an_entry_once(tmp_path: Path) -> None:
    barrier = CONTEXT.Barrier(3)
    processes = [CONTEXT.Process(target=_counting, args=(tmp_path, barrier)) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
        assert process.exitcode == 0
    assert (tmp_path / "told").read_text() == "012"


def _starting_and_dying(folder: Path, started: Any) -> None:
    def start_and_die(number: int) -> None:
        started.set()
        time.sleep(0.3)
        die()

    Cache(folder).entry("k", lambda: cases(start_and_die))


def test_waiting_process_takes_over_from_a_killed_process(tmp_path: Path) -> None:
    started = CONTEXT.Event()
    dying = CONTEXT.Process(target=_starting_and_dying, args=(tmp_path, started))
    dying.start()
    assert started.wait(60)
    check_complete(tmp_path, cases)
    dying.join(60)
    assert dying.exitcode == -signal.SIGKILL
    assert not list(tmp_path.glob(".part-*"))
