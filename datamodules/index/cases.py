"""The cases of a data set and their splits, with the hashes that every result records. Opens no image."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cached_property

from datamodules.index.card import DataCard
from datamodules.index.checks import raise_first_finding, without_absent
from datamodules.index.split_files import SplitFile, as_shipped, shipped_fold
from datamodules.index.splits import Leak, Split
from zoo.errors import ConfigError, DataError
from zoo.types import Case, CaseKey

FOLDS = 5
"""Number of folds of a k-fold where the user gives none."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SplitOptions:
    """How a user changes the splits of a protocol.

    Attributes:
        train_share: Share of the train split that is used, above 0 and at most 1.
        fold: Fold of a k-fold by subject; None for the splits of the protocol.
        folds: Number of folds.
        file: The user's split file, used in place of the protocol; None without one.
    """

    train_share: float = 1.0
    fold: int | None = None
    folds: int = FOLDS
    file: SplitFile | None = None


def split_options(train_share: float, fold: int | None, folds: int | None, file: SplitFile | None) -> SplitOptions:
    """The checked options of a command.

    Raises:
        ConfigError: Options that exclude each other, or a share outside (0, 1].
    """
    if folds is not None and fold is None:
        raise ConfigError(f"--data.folds {folds} without a fold.", "Give --data.fold as well, from 0.")
    if folds is not None and file is not None:
        raise ConfigError(f"--data.folds {folds} beside --data.split.", "The file says how many folds it has.")
    if not 0 < train_share <= 1:
        raise ConfigError(f"--data.train_share {train_share} is no share.", "Give more than 0 and at most 1.")
    return SplitOptions(train_share, fold, FOLDS if folds is None else folds, file)


class CaseIndex:
    """The cases of one data set and the splits of one protocol.

    Args:
        card: The card of the data set.
        protocol: Name of the protocol.
        options: How the user changes its splits.
        list_cases: Lists all labelled cases in file order.
        split_cases: Splits cases by the protocol. It gets one case per image.
        listed: Whether published listings or tables define the index. They name all cases, also where a user has some
            of the files only.
    """

    def __init__(
        self,
        card: DataCard,
        protocol: str,
        options: SplitOptions,
        list_cases: Callable[[], list[Case]],
        split_cases: Callable[[list[Case]], Split],
        listed: bool = False,
    ) -> None:
        self.card, self.protocol, self.options, self.listed = card, protocol, options, listed
        self._list_cases, self._split_cases = list_cases, split_cases

    @cached_property
    def cases(self) -> dict[CaseKey, Case]:
        """All cases by their keys, after the checks that open no image.

        Raises:
            DataError: The first finding of `datamodules.index.checks`.
        """
        found, absent = self.existing_cases(self._list_cases())
        if absent:
            log.warning("%s: %s", self.card.name, absent)
        raise_first_finding(found, self.card.has_reports, self.card.name)
        return {case.key: case for case in found}

    def case(self, case_id: str, query: str = "") -> Case:
        """One case by the name of its image and its query.

        Raises:
            KeyError: There is no such case.
        """
        return self.cases[CaseKey(case_id, query)]

    def cases_of(self, *splits: str) -> list[Case]:
        """All cases of some splits ("train", "val", "test"), in their order; an image comes with all its queries."""
        return [case for split in splits for case_id in self.split.ids_of(split) for case in self._by_image[case_id]]

    @cached_property
    def _by_image(self) -> dict[str, list[Case]]:
        found: dict[str, list[Case]] = {}
        for case in self.cases.values():
            found.setdefault(case.case_id, []).append(case)
        return found

    def existing_cases(self, cases: list[Case]) -> tuple[list[Case], str]:
        """The cases that have a file, and a sentence about those that a listing names and that have none."""
        return without_absent(cases) if self.listed else (cases, "")

    @cached_property
    def split(self) -> Split:
        """The splits, checked: no subject is in two of them, unless the card of the protocol declares it.

        Raises:
            DataError: A subject is in two splits; the message names the subject and its cases.
        """
        cases = list(self.cases.values())
        split = self.split_of(cases, self.options.fold, self.options.folds)
        used = math.ceil(self.options.train_share * len(split.train))
        split = replace(split, train=split.train[:used])
        self.check_leaks(split, cases)
        return split

    def split_of(self, cases: Iterable[Case], fold: int | None = None, folds: int = FOLDS) -> Split:
        """Split cases by the user's file or by the protocol; with `fold`, one fold of a k-fold.

        Raises:
            ConfigError: There is no such fold.
            DataError: These cases cannot be split so.
        """
        name, file = self.card.name, self.options.file
        first_query: dict[str, str] = {}
        images = [case for case in cases if first_query.setdefault(case.case_id, case.query) == case.query]
        if file is not None:
            return file.split_cases(name, images, fold)
        split = as_shipped(name, self._split_by_protocol(images))
        own_test = self.card.protocols[self.protocol].own_test
        return split if fold is None else shipped_fold(name, split, fold, folds, own_test)

    def _split_by_protocol(self, images: list[Case]) -> Split:
        """Split by the protocol; an error says what else the user can choose."""
        try:
            return self._split_cases(images)
        except DataError as error:
            if error.kind != "split":
                raise
            others = " or ".join(name for name in self.card.protocols if name != self.protocol)
            choice = f"choose --data.protocol {others}, " if others else ""
            fix = f"{error.fix.rstrip('.')}, {choice}or give your own splits with --data.split FILE.json."
            raise DataError(error.problem, fix, error.kind) from error

    @property
    def declares_leak(self) -> bool:
        """Whether the card of the protocol, or the user's split file, says that a subject is in several splits."""
        file = self.options.file
        return self.card.protocols[self.protocol].leaks if file is None else file.leaks

    def check_leaks(self, split: Split, cases: Iterable[Case]) -> None:
        """Warn of subjects in two splits where the card of the protocol declares them.

        Raises:
            DataError: The card does not declare them; the message names the first leak and a file.
        """
        leaks = split.leaks()
        if leaks and not self.declares_leak:
            raise self.leak_error(split, leaks[0], cases)
        if leaks:
            count = f"{len(leaks)} subject{'s' if len(leaks) > 1 else ''}"
            who = "card" if self.options.file is None else "file"
            log.warning(
                "%s, protocol %s leaks, as its %s says (%s): %s", self.card.name, split.protocol, who, count, leaks[0]
            )

    def leak_error(self, split: Split, leak: Leak, cases: Iterable[Case]) -> DataError:
        """The error about a subject in two splits that no card declares."""
        file = self.options.file
        fix = "Choose another --data.protocol." if file is None else f"Correct {file.path}."
        return DataError(f"{leak.describe(cases)} (protocol {split.protocol}).", fix, "subject_leak")
