"""The prepared arrays of all cases of a data set: in the cache on disk, or in memory where they are generated."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import asdict
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from datamodules.loading.cache import Cache, Make, entry_key
from datamodules.loading.foreground import list_foreground
from zoo.io.readers import Reader
from zoo.preprocessing.apply import PreparedCase
from zoo.preprocessing.spec import PreprocessingSpec
from zoo.types import Case, CaseKey, LabelSpace
from zoo.utils.activity import track
from zoo.utils.hashing import hash_json
from zoo.utils.parallel import map_in_order

Progress = Callable[[Collection[Case]], Iterable[Case]]
"""Wraps the cases while they are worked on."""


def _track(cases: Collection[Case]) -> Iterable[Case]:
    return track(cases, "preparing case")


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
        self._folders: dict[Path, Path] = {}
        self._chosen: dict[str, Case] = {}
        self._image_entries: dict[str, tuple[str, Make]] = {}
        self.memory: dict[CaseKey, PreparedCase] = {}

    def for_others(self, cases: Callable[[], Mapping[CaseKey, Case]]) -> PreparedCases:
        """The arrays of other cases that are prepared in the same way, in entries of their own."""
        how = (self._load, self._preprocessing_of, self._reader, self._labels, self._code)
        return PreparedCases(self._cache.folder if self._cache else None, self._as_one, cases, *how)

    def get(self, case: Case) -> PreparedCase:
        """The arrays of a case; made at the first call.

        Raises:
            DataError: A file is not what the card says.
        """
        if self._cache is None:
            if case.key not in self.memory:
                self.memory[case.key] = self._make(case)
            return self.memory[case.key]
        if self._as_one or case.query:
            name, make = self._entry_of(case)
            return self._cache.read(name, str(case.key), make)
        return self._cache.get(self._name(case), partial(self._make, case))

    def prepare(self, case: Case) -> None:
        """Make the arrays of a case unless they exist; what exists is compared with its checksum when it is read.

        Raises:
            DataError: A file is not what the card says.
        """
        if self._cache is None:
            self.get(case)
        elif self._as_one or case.query:
            self._cache.entry(*self._entry_of(case))
        else:
            self._cache.entry(self._name(case), lambda: [("", self._make(case))])

    def release_memory(self) -> None:
        """Give back the memory of arrays that were read from the entry of all cases, for a walk over all cases."""
        if self._cache is not None and "_one_entry" in vars(self):
            self._cache.release_memory(self._one_entry[0])

    def choose(self, used: Sequence[Case], all_cases: Sequence[Case]) -> None:
        """Give the cases that a limited run uses an entry of their own, in place of the entry of all cases.

        Nothing changes where the run uses all cases, where each case has an entry, or where the entry of all exists.

        Args:
            used: The cases that the run uses; a further case is still made when it is asked for.
            all_cases: The cases of all splits.
        """
        limited = self._as_one and self._cache is not None and len(used) < len(all_cases)
        if limited and self._cache is not None and not self._cache.has(self._entry_name(self._cases())):
            self._chosen = {str(case.key): case for case in used}

    def make_all(self, threads: int = 0, progress: Progress = _track) -> None:
        """Make the arrays of every case.

        Args:
            threads: How many cases are worked on, and held in memory, at the same time; 0 for one.
            progress: Wraps the cases while they are worked on.
        """
        if self._as_one and self._cache is not None:
            self._cache.entry(*self._describe_entry(self._cases(), threads, progress))
        else:
            deque(map_in_order(self.get, progress(self._cases().values()), threads), maxlen=0)

    def _entry_of(self, case: Case) -> tuple[str, Make]:
        """The name of the entry that holds a case beside others, and what makes the entry."""
        if not self._as_one:  # one entry per image, so that its queries share the array of the image
            if case.case_id not in self._image_entries:
                queries = {one.key: one for one in self._queries[case.case_id]}
                self._image_entries[case.case_id] = self._describe_entry(queries, progress=iter)
            return self._image_entries[case.case_id]
        return self._chosen_entry if str(case.key) in self._chosen else self._one_entry

    @cached_property
    def _queries(self) -> dict[str, list[Case]]:
        """The queries of each image, in their order."""
        found: dict[str, list[Case]] = {}
        for case in self._cases().values():
            found.setdefault(case.case_id, []).append(case)
        return found

    @cached_property
    def _one_entry(self) -> tuple[str, Make]:
        return self._describe_entry(self._cases())

    @cached_property
    def _chosen_entry(self) -> tuple[str, Make]:
        return self._describe_entry({case.key: case for case in self._chosen.values()})

    def _describe_entry(
        self, cases: Mapping[CaseKey, Case], threads: int = 0, progress: Progress = _track
    ) -> tuple[str, Make]:
        """The entry of these cases: of all, whatever split, fold or share is used, or of those that were chosen."""

        def make() -> Iterable[tuple[str, PreparedCase]]:
            names = [str(key) for key in cases]
            return zip(names, map_in_order(self._make, progress(cases.values()), threads), strict=True)

        return self._entry_name(cases), make

    def _entry_name(self, cases: Mapping[CaseKey, Case]) -> str:
        """The hash of what makes the arrays of these cases."""
        return hash_json({str(key): self._name(case) for key, case in cases.items()})[:32]

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
            self._names[case.key] = entry_key(files, recipe, self._folders)
        return self._names[case.key]

    @cached_property
    def _common(self) -> dict[str, Any]:
        """What makes the arrays of every case: labels, reader and code."""
        return {"labels": self._labels.to_dict(), "reader": repr(self._reader), "code": self._code()}
