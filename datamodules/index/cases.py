"""The cases of a set and their parts: index, split, fold, and the hashes that go into every result."""

from __future__ import annotations

import logging
import math
from abc import abstractmethod
from collections.abc import Iterable
from dataclasses import replace
from functools import cached_property

from datamodules.index.card import SaidByCard
from datamodules.index.checks import index_findings, without_absent
from datamodules.index.split_files import SplitFile, as_shipped, shipped_fold
from datamodules.index.splits import Leak, Split
from zoo.errors import DataError
from zoo.types import Case
from zoo.utils.hashing import hash_json

log = logging.getLogger(__name__)


class IndexedSet(SaidByCard):
    """What is known of a set before an image is opened.

    Attributes:
        train_share: Share of the train part to train on.
        fold: Fold of a k-fold by subject; None for the protocol's own parts.
        folds: How many folds.
        split_file: The user's own split in place of the protocol's, None for that.
    """

    train_share: float
    fold: int | None
    folds: int
    split_file: SplitFile | None

    listed = False
    """Whether published listings or tables make the index: they stay whole where people have a part of the cases."""

    @abstractmethod
    def index(self) -> list[Case]:
        """All labelled cases of the set, in file order. Reads listings and captions, not images.

        Raises:
            DataError: The layout is not the documented one.
        """

    @abstractmethod
    def cut(self, cases: list[Case]) -> Split:
        """The parts of `self.protocol`."""

    @cached_property
    def cases(self) -> dict[str, Case]:
        """The index by case id, after the checks that need no image.

        Raises:
            DataError: The first finding of `datamodules.index.checks`.
        """
        found, absent = self.at_hand(self.index())
        if absent:
            log.warning("%s: %s", self.folder, absent)
        findings = index_findings(found, self.has_reports)
        if findings:
            count = f" all {len(findings)}" if len(findings) > 1 else " all"
            raise DataError(findings[0].problem, f"Run `zoo data verify {self.name}` for{count} findings.")
        return {case.case_id: case for case in found}

    def at_hand(self, cases: list[Case]) -> tuple[list[Case], str]:
        """An index without the cases that a listing names and of which no file is there, and a sentence about them."""
        return without_absent(cases) if self.listed else (cases, "")

    @cached_property
    def split(self) -> Split:
        """The parts, checked: no subject stands in two, unless the protocol's card declares it.

        Raises:
            DataError: A subject in two parts, naming it and its cases.
        """
        split = self.parted(list(self.cases.values()), self.fold, self.folds)
        split = replace(split, train=split.train[: math.ceil(self.train_share * len(split.train))])
        self.check_leaks(split, self.cases.values())
        return split

    def parted(self, cases: list[Case], fold: int | None = None, folds: int = 5) -> Split:
        """Cases in parts: by the user's file, or by the protocol, whole or as a fold.

        Raises:
            ConfigError: There is no such fold.
            DataError: The parts cannot be made of these cases.
        """
        if self.split_file is not None:
            return self.split_file.part(self.name, cases, fold)
        split = as_shipped(self.name, self._cut(cases))
        return split if fold is None else shipped_fold(self.name, split, fold, folds, self.has_own_test)

    def _cut(self, cases: list[Case]) -> Split:
        """`cut`, whose faults name what else there is to choose."""
        try:
            return self.cut(cases)
        except DataError as error:
            if error.kind != "split":
                raise
            others = " or ".join(name for name in self.about["protocols"] if name != self.protocol)
            choice = f"choose --data.protocol {others}, " if others else ""
            fix = f"Fetch the missing cases, {choice}or give parts of your own by --data.split FILE.json."
            raise DataError(error.problem, fix, error.kind) from error

    @property
    def declares_leak(self) -> bool:
        """Whether the protocol's card, or the user's file in its place, says that it parts subjects."""
        return super().declares_leak if self.split_file is None else self.split_file.leaks

    def check_leaks(self, split: Split, cases: Iterable[Case]) -> None:
        """Warns of subjects in two parts where the protocol's card declares them.

        Raises:
            DataError: It does not; the first leak, with a file of it.
        """
        leaks = split.leaks()
        if leaks and not self.declares_leak:
            raise self.leak_fault(split, leaks[0], cases)
        if leaks:
            count = f"{len(leaks)} subject{'s' if len(leaks) > 1 else ''}"
            who = "card" if self.split_file is None else "file"
            log.warning(
                "%s, protocol %s leaks, as its %s says (%s): %s", self.name, split.protocol, who, count, leaks[0]
            )

    def leak_fault(self, split: Split, leak: Leak, cases: Iterable[Case]) -> DataError:
        """What is said of a subject in two parts that no card declares."""
        mend = "Choose another --data.protocol." if self.split_file is None else f"Mend {self.split_file.path}."
        return DataError(f"{leak.named(cases)} (protocol {split.protocol}).", mend, "subject_leak")

    @property
    def leak_declared(self) -> bool:
        """Whether subjects do stand in several parts, as the card says: every result is marked. Reads the index."""
        return bool(self.split.leaks())

    @property
    def split_hash(self) -> str:
        """The split's hash; reads the index."""
        return self.split.hash

    @property
    def prompt_hash(self) -> str:
        """SHA-256 over the true class prompts and, in a set of reports, each case's report; reads the index."""
        reports = {case.case_id: case.report for case in self.cases.values()} if self.has_reports else {}
        return hash_json({"classes": [list(prompt) for prompt in self.prompts], "reports": reports})
