"""The prepared arrays of all cases of a data set: in the cache on disk, or in memory where they are generated."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from datamodules.loading.cache import Cache, Entry, entry_key
from datamodules.loading.foreground import list_foreground
from zoo.io.readers import Reader
from zoo.preprocessing.apply import PreparedCase
from zoo.preprocessing.spec import PreprocessingSpec
from zoo.types import Case, CaseKey, LabelSpace
from zoo.utils.hashing import hash_json
from zoo.utils.parallel import map_in_order


class PreparedCases:
    """The prepared arrays of the cases of a data set.

    Args:
        folder: The folder of the cache; None keeps all arrays in memory.
        as_one: Whether all cases are one entry of the cache. Thousands of small files open too slowly.
        cases: Gives all cases by their keys.
        load: Reads and prepares one case.
        preprocessing_of: The preprocessing of a case.
        reader: Reads the files.
        labels: The label space.
        code: Gives the hash of the code that prepares a case.
    """

    def __init__(
        self,
        folder: Path | None,
        as_one: bool,
        cases: Callable[[], Mapping[CaseKey, Case]],
        load: Callable[[Case], PreparedCase],
        preprocessing_of: Callable[[Case], PreprocessingSpec],
        reader: Reader,
        labels: LabelSpace,
        code: Callable[[], str],
    ) -> None:
        self._cache = None if folder is None else Cache(folder)
        self._as_one, self._cases, self._load = as_one, cases, load
        self._preprocessing_of, self._reader, self._labels, self._code = preprocessing_of, reader, labels, code
        self._names: dict[CaseKey, str] = {}
        self.memory: dict[CaseKey, PreparedCase] = {}

    def get(self, case: Case) -> PreparedCase:
        """The arrays of a case; made at the first call.

        Raises:
            DataError: A file is not what the card says.
        """
        if self._cache is None:
            if case.key not in self.memory:
                self.memory[case.key] = self._make(case)
            return self.memory[case.key]
        if self._as_one:
            return self._one_entry[str(case.key)]
        return self._cache.get(self._name(case), partial(self._make, case))

    def make_all(self, threads: int = 0, progress: Callable[[Iterable[Case]], Iterable[Case]] = iter) -> None:
        """Make the arrays of every case.

        Args:
            threads: How many cases are worked on, and held in memory, at the same time; 0 for one.
            progress: Wraps the cases while they are worked on.
        """
        if self._as_one and self._cache is not None:
            self._open_one_entry(self._cache, threads, progress)
        else:
            deque(map_in_order(self.get, progress(self._cases().values()), threads), maxlen=0)

    @cached_property
    def _one_entry(self) -> Entry:
        assert self._cache is not None  # noqa: S101 - `get` asks for an entry only where there is a cache
        return self._open_one_entry(self._cache)

    def _open_one_entry(
        self, cache: Cache, threads: int = 0, progress: Callable[[Iterable[Case]], Iterable[Case]] = iter
    ) -> Entry:
        """The entry of all cases, whatever split, fold or share of them is used."""
        cases = self._cases()
        names = [str(key) for key in cases]
        key = hash_json({name: self._name(case) for name, case in zip(names, cases.values(), strict=True)})[:32]
        made = map_in_order(self._make, progress(cases.values()), threads)
        return cache.entry(key, lambda: zip(names, made, strict=True))

    def _make(self, case: Case) -> PreparedCase:
        """Load a case and list its foreground."""
        prepared = self._load(case)
        if prepared.foreground is not None or prepared.label is None:
            return prepared
        classes = len(self._labels.names)
        return prepared._replace(foreground=list_foreground(prepared.label, self._labels.exclusive, classes))

    def _name(self, case: Case) -> str:
        """The hash of what makes the arrays: files, preprocessing and code; computed once for each case."""
        if case.key not in self._names:
            paths = [*case.images, *([case.label] if case.label else [])]
            files = [file for path in paths for file in self._reader.files(path)]
            recipe = {"recipe": asdict(self._preprocessing_of(case)), **self._common}
            recipe |= {"query": case.query} if case.query else {}
            self._names[case.key] = entry_key(files, recipe)
        return self._names[case.key]

    @cached_property
    def _common(self) -> dict[str, Any]:
        """What makes the arrays of every case: labels, reader and code."""
        return {"labels": self._labels.to_dict(), "reader": repr(self._reader), "code": self._code()}
