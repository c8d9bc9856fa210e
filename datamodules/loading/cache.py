"""Prepared cases on disk. An entry is one block of bytes, memory-mapped, and a table of what lies where in it.

An entry holds one case of a set of volumes, or all cases of a set of images: opening thousands of small
files would take longer than reading them. Whichever it is costs a process one open file.

An entry's name is the hash of everything that made it (which files in which state, the recipe, the
code), so a stale one is never found. It is written under another name and renamed at the end, so a
killed process or a full disk leaves none. It may be deleted at any time.
"""

from __future__ import annotations

import json
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

from datamodules.loading.foreground import list_foreground
from zoo.errors import DataError
from zoo.preprocessing.apply import PreparedCase, load_case
from zoo.types import Geometry
from zoo.utils.code_hash import hash_code
from zoo.utils.hashing import hash_json

OPEN = 256
"""So many entries stay open: a process may often have no more than 1,024 open files."""

_FACTS, _BLOCK = "facts.json", "arrays.bin"
_ARRAYS = ("image", "label", "native", "foreground")
_ALIGN = 64  # bytes: a cache line, and a multiple of every item's size


def entry_key(files: Sequence[Path], recipe: Any) -> str:
    """The name of the entry of these files, prepared so.

    Args:
        files: The source files; each counts by its path, its size and when its content and its state last changed.
            The latter is the system's own time, which `touch` and `cp -p` cannot set back.
        recipe: Plain Python that tells how they are prepared, code version included.

    Raises:
        DataError: A file is missing.
    """
    states = []
    for path in files:
        try:
            state = path.stat()
        except OSError as error:
            raise DataError(f"{path}: cannot be read ({error.strerror}).", "Fetch the file again.") from error
        states.append([str(path.resolve()), state.st_size, state.st_mtime_ns, state.st_ctime_ns])
    return hash_json({"files": states, "recipe": recipe})[:32]


def preparing_code(kinds: Iterable[type], without: Collection[type] = ()) -> str:
    """Return the hash of the code that prepares a case and lays it out in an entry.

    Where a function lies, what it imports and how it is commented does not count (`zoo.utils.code_hash`).

    Args:
        kinds: The classes whose methods read or make the arrays: the reader, and a data set that makes its own.
        without: Classes that are not followed: what all data sets have in common makes no arrays.
    """
    return hash_code([load_case, list_foreground, Cache._write, Entry, *kinds], without)


class Entry:
    """The cases of a whole entry, memory-mapped.

    Args:
        folder: The entry.

    Raises:
        OSError, ValueError, KeyError, TypeError: It is absent, or not what its facts say.
    """

    def __init__(self, folder: Path) -> None:
        facts = json.loads((folder / _FACTS).read_text(encoding="utf-8"))
        self._cases: dict[str, Any] = facts["cases"]
        with (folder / _BLOCK).open("rb") as file:
            self._block = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        if len(self._block) != facts["bytes"]:
            raise ValueError(f"{folder}: not what was written")

    def __getitem__(self, name: str) -> PreparedCase:
        """A case, its arrays views of the map: read-only, and read from disk where they are touched."""
        case = self._cases[name]
        arrays = {name: self._view(*place) for name, place in case["arrays"].items()}
        optional = {name: arrays.get(name) for name in _ARRAYS[1:]}
        return PreparedCase(image=arrays["image"], geometry=_geometry(case["geometry"]), **optional)

    def _view(self, offset: int, shape: list[int], dtype: str) -> NDArray[Any]:
        count = int(np.prod(shape))
        return np.frombuffer(self._block, dtype, count, offset if count else 0).reshape(shape)


class Cache:
    """The prepared cases of one data set.

    Args:
        folder: Where they lie; made when first written to.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._opened = lru_cache(OPEN)(lambda key: Entry(folder / key))  # an error is not remembered

    def get(self, key: str, make: Callable[[], PreparedCase]) -> PreparedCase:
        """The only case of an entry; see `entry`."""
        return self.entry(key, lambda: [("", make())])[""]

    def entry(self, key: str, make: Callable[[], Iterable[tuple[str, PreparedCase]]]) -> Entry:
        """The entry of a key; made first where there is none or a broken one.

        Of several processes and threads that ask at once, one makes it and the others wait.

        Args:
            key: Its name.
            make: Gives the cases by name; each is written before the next is asked for.

        Raises:
            DataError: The folder cannot be written.
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
            raise DataError(
                f"{self.folder}: cannot be written ({error}).", "Free some space or set ZOO_CACHE."
            ) from error
        if found is None:
            raise DataError(f"{self.folder / key}: vanished or changed while it was written.", "Run it again.")
        return found

    def _find(self, key: str) -> Entry | None:
        try:
            return self._opened(key)
        except (OSError, ValueError, KeyError, TypeError):
            return None  # absent or broken: `entry` makes it anew

    def _lock(self, key: str) -> Path:
        return self.folder / f".lock-{key}"

    def _sweep(self) -> None:
        """Remove what killed processes left. Who writes an entry holds its lock: what can be locked is dead."""
        for left in self.folder.glob(".part-*"):
            try:
                with FileLock(self._lock(left.name.split("-")[1]), timeout=0):
                    shutil.rmtree(left, ignore_errors=True)
            except Timeout:
                continue

    def _write(self, key: str, cases: Iterable[tuple[str, PreparedCase]]) -> None:
        for left in self.folder.glob(f".part-{key}-*"):  # of a process that was killed while this one waited
            shutil.rmtree(left, ignore_errors=True)
        temporary = self.folder / f".part-{key}-{os.getpid()}"
        temporary.mkdir()
        try:
            # Written, not mapped: a full disk is an error here, and would be the process's end in a map.
            with (temporary / _BLOCK).open("wb") as block:
                places = {name: _append(block, prepared) for name, prepared in cases}
                facts = {"bytes": block.tell(), "cases": places}
                block.flush()
                os.fsync(block.fileno())  # else a power cut could leave a renamed entry without its content
            (temporary / _FACTS).write_text(json.dumps(facts), encoding="utf-8")
            _remove(self.folder / key)  # a broken one: nothing else has this name
            temporary.replace(self.folder / key)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def _remove(path: Path) -> None:
    """Remove what is there, if anything: a folder with all that is in it, or a file."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _append(block: BinaryIO, prepared: PreparedCase) -> dict[str, Any]:
    """Write a case's arrays to the end; returns where each lies, and the geometry."""
    places = {}
    for name in _ARRAYS:
        array: NDArray[Any] | None = getattr(prepared, name)
        if array is not None:
            block.write(bytes(-block.tell() % _ALIGN))
            places[name] = [block.tell(), list(array.shape), array.dtype.str]
            block.write(np.ascontiguousarray(array).data)
    geometry = {**asdict(prepared.geometry), "source": str(prepared.geometry.source or "")}
    return {"arrays": places, "geometry": geometry}


def _geometry(facts: dict[str, Any]) -> Geometry:
    affine = facts["affine"]
    return Geometry(
        affine=None if affine is None else tuple(tuple(row) for row in affine),
        shape=tuple(facts["shape"]),
        crop=tuple((start, stop) for start, stop in facts["crop"]),
        spacing=tuple(facts["spacing"]),
        unit=facts["unit"],
        source=Path(facts["source"]) if facts["source"] else None,
    )
