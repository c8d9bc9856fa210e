"""Prepared cases on disk: plain `.npy` files, memory-mapped, each entry whole or absent.

An entry's name is the hash of everything that made it (which files in which state, the recipe, the
code), so a stale one is never found. It is written under another name and renamed at the end, so a
killed process leaves none. It may be deleted at any time.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

import datamodules.grid
import datamodules.prepare
import zoo.io.image
from datamodules.digest import digest
from datamodules.prepare import Prepared
from zoo.errors import DataError
from zoo.types import Geometry

_FACTS = "facts.json"
_ARRAYS = ("image", "label", "native", "foreground")


def entry_key(files: Sequence[Path], recipe: Any) -> str:
    """The name of the entry of these files, prepared so.

    Args:
        files: The source files; each counts by its path, size and time of change.
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
        states.append([str(path.resolve()), state.st_size, state.st_mtime_ns])
    return digest({"files": states, "recipe": recipe})[:32]


def preparing_code(kinds: Iterable[type]) -> list[str]:
    """Hashes of the sources that prepare a case: a changed line makes every entry stale.

    Args:
        kinds: The classes of the data set, whose files count too.
    """
    modules = {zoo.io.image, datamodules.grid, datamodules.prepare, *(sys.modules[kind.__module__] for kind in kinds)}
    files = [module.__file__ for module in modules if getattr(module, "__file__", None)]  # an interpreter has none
    return sorted(digest(Path(str(file)).read_text(encoding="utf-8")) for file in files)


class Cache:
    """The prepared cases of one data set.

    Args:
        folder: Where they lie; made when first written to.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def get(self, key: str, make: Callable[[], Prepared]) -> Prepared:
        """The entry of a key, memory-mapped; made first where there is none or a broken one.

        Of several processes that ask at once, one makes it and the others wait.

        Raises:
            DataError: The folder cannot be written.
        """
        found = self._open(key)
        if found is not None:
            return found
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with FileLock(self.folder / ".lock"):
                found = self._open(key)
                if found is None:
                    self._write(key, make())
                    found = self._open(key)
        except OSError as error:
            raise DataError(
                f"{self.folder}: cannot be written ({error}).", "Free some space or set ZOO_CACHE."
            ) from error
        if found is None:
            raise DataError(f"{self.folder / key}: vanished or changed while it was written.", "Run it again.")
        return found

    def _open(self, key: str) -> Prepared | None:
        """The entry, or None where it is absent or not what its facts say."""
        folder = self.folder / key
        try:
            facts = json.loads((folder / _FACTS).read_text(encoding="utf-8"))
            arrays: dict[str, Any] = {name: _map(folder / f"{name}.npy", *due) for name, due in facts["arrays"].items()}
            optional = {name: arrays.get(name) for name in _ARRAYS[1:]}
            return Prepared(image=arrays["image"], geometry=_geometry(facts["geometry"]), **optional)
        except (OSError, ValueError, KeyError, TypeError):
            return None  # absent or broken: `get` makes it anew

    def _write(self, key: str, prepared: Prepared) -> None:
        temporary = self.folder / f".part-{key}-{os.getpid()}"
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir()
        try:
            arrays = {}
            for name in _ARRAYS:
                array = getattr(prepared, name)
                if array is not None:
                    np.save(temporary / f"{name}.npy", array, allow_pickle=False)
                    arrays[name] = [list(array.shape), str(array.dtype)]
            geometry = {**asdict(prepared.geometry), "source": str(prepared.geometry.source or "")}
            (temporary / _FACTS).write_text(json.dumps({"arrays": arrays, "geometry": geometry}), encoding="utf-8")
            shutil.rmtree(self.folder / key, ignore_errors=True)  # a broken one: nothing else has this name
            temporary.replace(self.folder / key)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def _map(path: Path, shape: list[int], dtype: str) -> NDArray[Any]:
    array: NDArray[Any] = np.load(path, mmap_mode="r" if np.prod(shape) else None, allow_pickle=False)
    if list(array.shape) != shape or str(array.dtype) != dtype:
        raise ValueError(f"{path}: not what was written")
    return array


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
