"""Prepared cases on disk. An entry is one block of bytes, which is memory-mapped, and a table of the arrays in it.

An entry contains one case of a data set of volumes, or all cases of a data set of pictures: opening thousands of small
files would take longer than reading them. Each entry is one open file of the process.

The name of an entry is the hash of everything that determines its content: the files and their state, the
preprocessing, the code. Therefore an outdated entry is never found. An entry is written under another name and renamed
at the end, so that a killed process or a full disk leaves no incomplete entry. It may be deleted at any time.

Each case has a checksum of its arrays and its geometry. A process compares it when it reads the case for the first
time, and makes a damaged entry again. For this it reads the whole case once, also where only a patch is used.
"""

from __future__ import annotations

import json
import logging
import mmap
import os
import shutil
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from filelock import FileLock, Timeout
from numpy.typing import NDArray

from datamodules.loading.entry import ARRAYS, BLOCK, TABLE, Entry, array_sum, checksum
from datamodules.loading.foreground import list_foreground
from zoo.errors import DataError
from zoo.preprocessing.apply import PreparedCase, load_case
from zoo.utils.code_hash import hash_code
from zoo.utils.hashing import hash_json
from zoo.utils.limits import get_limit, raise_limit
from zoo.utils.open_files import files_to_keep_open, lacks_open_files

log = logging.getLogger(__name__)

OPEN = 256
"""Largest number of entries that stay open; fewer where the limit of open files is low (`ulimit -n`)."""

Make = Callable[[], Iterable[tuple[str, PreparedCase]]]
"""Yields the cases of an entry with their names."""

_ALIGN = 64  # bytes: a cache line of the processor, and a multiple of every item size


def entry_key(files: Sequence[Path], preparation: Any, folders: dict[Path, Path] | None = None) -> str:
    """Compute the name of the entry for prepared files.

    Args:
        files: The source files. Each counts with its path, its size, and the times of the last change of its content
            and of its state. `touch` and `cp -p` cannot set back the time of the state.
        preparation: Plain Python that determines the arrays: preprocessing, labels, reader, hash of the code.
        folders: The resolved path of each folder, filled by the call. Calls for many files of a folder resolve its
            path once.

    Raises:
        DataError: A file is missing.
    """
    states = []
    for path in files:
        try:
            state = path.stat()
        except OSError as error:
            raise DataError(f"{path}: cannot be read ({error.strerror}).", "Download the file again.") from error
        states.append(
            [
                str(_resolve(path, {} if folders is None else folders)),
                state.st_size,
                state.st_mtime_ns,
                state.st_ctime_ns,
            ]
        )
    return hash_json({"files": states, "preparation": preparation})[:32]


def _resolve(path: Path, folders: dict[Path, Path]) -> Path:
    if path.is_symlink():
        return path.resolve()
    if path.parent not in folders:
        folders[path.parent] = path.parent.resolve()
    return folders[path.parent] / path.name


def preparing_code(kinds: Iterable[type], without: Collection[type] = ()) -> str:
    """Return the hash of the code that prepares a case and writes it into an entry.

    Modules, imports and comments do not count, so that moved code keeps the entries (`zoo.utils.code_hash`).

    Args:
        kinds: Classes whose methods read or make the arrays: the reader, and a data set with its own `load`.
        without: Classes that are not followed, because they make no arrays: the common base of the data sets.
    """
    limits = (get_limit, raise_limit)  # they refuse a file, and change no array
    return hash_code([load_case, list_foreground, Cache._write, Writer, Entry, *kinds], [*without, *limits])


class Cache:
    """The prepared cases of one data set.

    Args:
        folder: The folder of the entries; it is made when the first entry is written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        # An error is not remembered.
        self._opened = lru_cache(files_to_keep_open(OPEN))(lambda key: Entry(folder / key))
        self._checked: set[tuple[str, str]] = set()

    def get(self, key: str, make: Callable[[], PreparedCase]) -> PreparedCase:
        """Return the case of an entry with one case; see `read`."""
        return self.read(key, "", lambda: [("", make())])

    def read(self, key: str, name: str, make: Make) -> PreparedCase:
        """Return a case of an entry, as `entry` does. The first time, its checksum is compared.

        Args:
            key: Name of the entry.
            name: Name of the case.
            make: See `entry`; a damaged entry is made again.
        """
        entry = self.entry(key, make)
        if (key, name) not in self._checked:
            if not entry.is_intact(name):
                log.warning("%s: the prepared case %s is damaged; it is prepared again", self.folder / key, name)
                entry = self._replace(key, name, make)
            self._checked.add((key, name))
        return entry[name]

    def _replace(self, key: str, name: str, make: Make) -> Entry:
        """Make an entry with a damaged case again, unless another process has done it."""
        self._opened.cache_clear()
        try:
            with FileLock(self._lock(key)):
                found = self._find(key)
                if found is None or not found.is_intact(name):
                    _remove(self.folder / key)
                    self._opened.cache_clear()
        except OSError as error:
            raise self._unwritable(error) from error
        found = self.entry(key, make)
        if not found.is_intact(name):
            raise DataError(
                f"{self.folder / key}: is damaged as soon as it is written.", "Set ZOO_CACHE to another disk."
            )
        return found

    def has(self, key: str) -> bool:
        """Return whether an entry of this name exists and is not damaged."""
        return self._find(key) is not None

    def entry(self, key: str, make: Make) -> Entry:
        """Return an entry. If it does not exist or is damaged, it is made first.

        If several processes or threads need the entry at once, one makes it and the others wait.

        Args:
            key: Name of the entry.
            make: Yields the cases with their names; each case is written before the next one is requested.

        Raises:
            DataError: The folder cannot be written.
            OSError: The process has too many open files.
        """
        found = self._find(key)
        if found is not None:
            return found
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._sweep()
            with FileLock(self._lock(key)):
                found = self._find(key)
                if found is None:
                    self._write(key, make())
                    found = self._find(key)
        except OSError as error:
            if lacks_open_files(error):
                raise
            raise self._unwritable(error) from error
        if found is None:
            raise DataError(
                f"{self.folder / key}: was removed or changed while it was written.", "Run the command again."
            )
        return found

    def release_memory(self, key: str) -> None:
        """Give back the memory of what was read from an entry. It stays on disk, and is read again when it is used."""
        entry = self._find(key)
        if entry is not None and hasattr(mmap, "MADV_DONTNEED"):
            entry._block.madvise(mmap.MADV_DONTNEED)

    def _find(self, key: str) -> Entry | None:
        try:
            return self._opened(key)
        except (OSError, ValueError, KeyError, TypeError) as error:
            if lacks_open_files(error):  # the entry may be sound
                raise
            return None  # missing or damaged: `entry` makes it again

    def _unwritable(self, error: OSError) -> DataError:
        return DataError(f"{self.folder}: cannot be written ({error}).", "Free some space or set ZOO_CACHE.")

    def _lock(self, key: str) -> Path:
        return self.folder / f".lock-{key}"

    def _sweep(self) -> None:
        """Remove the files of killed processes. Their locks are free; a running writer holds the lock of its entry."""
        for left in self.folder.glob(".part-*"):
            try:
                with FileLock(self._lock(left.name.split("-")[1]), timeout=0):
                    shutil.rmtree(left, ignore_errors=True)
            except Timeout:
                continue

    def _write(self, key: str, cases: Iterable[tuple[str, PreparedCase]]) -> None:
        for left in self.folder.glob(f".part-{key}-*"):  # left by a process that was killed while this one waited
            shutil.rmtree(left, ignore_errors=True)
        temporary = self.folder / f".part-{key}-{os.getpid()}"
        temporary.mkdir()
        try:
            # The block is written and not mapped: in a map, a full disk would end the process without an error.
            with (temporary / BLOCK).open("wb") as block:
                writer = Writer(block)
                places = {name: writer.append_case(name, prepared) for name, prepared in cases}
                table = {"bytes": block.tell(), "cases": places}
                block.flush()
                os.fsync(block.fileno())  # without it, a power cut could leave a renamed entry without content
            (temporary / TABLE).write_text(json.dumps(table), encoding="utf-8")
            _remove(self.folder / key)  # only a damaged entry can have this name
            temporary.replace(self.folder / key)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def _remove(path: Path) -> None:
    """Remove a file or a folder with its content, if it exists."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


class Writer:
    """Appends arrays to the block of an entry. The queries of an image follow each other and share its array."""

    def __init__(self, block: BinaryIO) -> None:
        self._block = block
        self._image: tuple[NDArray[Any], list[Any], int] | None = None

    def append_case(self, name: str, prepared: PreparedCase) -> dict[str, Any]:
        """Append the arrays of a case; return their positions, the geometry and the checksum."""
        places, sums = {}, []
        for kind in ARRAYS:
            array: NDArray[Any] | None = getattr(prepared, kind)
            if array is not None:
                place, found = self._append_image(array) if kind == "image" else self._append(array)
                places[kind] = place
                sums.append(found)
        geometry = {**asdict(prepared.geometry), "source": str(prepared.geometry.source or "")}
        return {"arrays": places, "geometry": geometry, "checksum": checksum(name, places, geometry, sums)}

    def _append_image(self, image: NDArray[Any]) -> tuple[list[Any], int]:
        if self._image is None or self._image[0] is not image:
            self._image = (image, *self._append(image))
        return self._image[1:]

    def _append(self, array: NDArray[Any]) -> tuple[list[Any], int]:
        self._block.write(bytes(-self._block.tell() % _ALIGN))
        place = [self._block.tell(), list(array.shape), array.dtype.str]
        packed = np.ascontiguousarray(array)
        self._block.write(packed.data)
        return place, array_sum(packed)
