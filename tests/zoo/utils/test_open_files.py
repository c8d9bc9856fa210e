"""Few open files: the cache keeps fewer entries open, and no sound file is blamed."""

from __future__ import annotations

import errno
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from datamodules.loading.cache import OPEN, Cache
from zoo.io import read_image
from zoo.io.tables import read_table
from zoo.preprocessing.apply import PreparedCase
from zoo.types import Geometry
from zoo.utils.exit_codes import run_command
from zoo.utils.open_files import files_to_keep_open

GEOMETRY = Geometry(None, (2, 3), ((0, 2), (0, 3)), (1.0, 1.0), "px")


@contextmanager
def open_files_limited_to(count: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (count, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def made(number: int) -> PreparedCase:
    return PreparedCase(np.full((1, 2, 3), number, np.float32), None, GEOMETRY)


def highest_open_file() -> int:
    number = os.open(os.devnull, os.O_RDONLY)
    os.close(number)
    return number


def test_a_low_limit_keeps_fewer_entries_open(tmp_path: Path) -> None:
    limit = highest_open_file() + 64
    with open_files_limited_to(limit):
        cache = Cache(tmp_path)
        for _ in range(2):
            for number in range(80):
                found = cache.get(f"k{number}", lambda number=number: made(number))  # type: ignore[misc]
                assert found.image[0, 0, 0] == number
    assert files_to_keep_open(OPEN) <= OPEN
    with open_files_limited_to(64):
        assert files_to_keep_open(OPEN) == 8


def test_no_sound_file_is_blamed_for_the_limit(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Cache(tmp_path / "c").get("k", lambda: made(1))
    (tmp_path / "a.nii").touch()
    (tmp_path / "a.csv").touch()
    reads = (
        lambda: read_image(tmp_path / "a.nii"),
        lambda: read_table(tmp_path / "a.csv"),
        lambda: Cache(tmp_path / "c").get("k", lambda: made(2)),
    )
    for read in reads:
        with open_files_limited_to(highest_open_file()), pytest.raises(OSError) as caught:  # noqa: PT011
            read()
        assert caught.value.errno == errno.EMFILE
    assert Cache(tmp_path / "c").get("k", lambda: made(3)).image[0, 0, 0] == 1

    def fail() -> None:
        raise OSError(errno.EMFILE, "Too many open files", "a.nii")

    assert run_command(fail) == 2
    assert capsys.readouterr().err == (
        "zoo: error: a.nii: Too many open files. Allow more open files with `ulimit -n 4096`, then run the same "
        "command again.\n"
    )
