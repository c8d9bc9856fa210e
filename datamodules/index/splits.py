"""The train, val and test splits of a data set, made by subject, with a hash that every result records."""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from zoo.errors import ConfigError, DataError, UnknownNameError
from zoo.registry import CONFIGS
from zoo.types import Case
from zoo.utils.hashing import hash_json

SPLITS = ("train", "val", "test")
"""The models are trained on train, selected on val and reported on test."""

log = logging.getLogger(__name__)


class Leak(NamedTuple):
    """A subject that is in more than one split.

    Attributes:
        subject: The subject.
        places: The cases of the subject in each of these splits.
    """

    subject: str
    places: Mapping[str, Sequence[str]]

    def __str__(self) -> str:
        where = " and ".join(f"{split} ({', '.join(ids)})" for split, ids in self.places.items())
        return f"subject {self.subject} is in {where}"

    def describe(self, cases: Iterable[Case]) -> str:
        """One line about the leak, which begins with the file of its last case where the case has a file."""
        last = list(self.places.values())[-1][0]
        image = next((case.images[0] for case in cases if case.case_id == last and case.images), last)
        return f"{image}: {self}"


@dataclass(frozen=True, slots=True)
class Split:
    """The three splits of a protocol. A case id names an image; all queries of an image are in the same split.

    Attributes:
        protocol: Name of the protocol.
        train: Case ids of the train split.
        val: Case ids of the val split.
        test: Case ids of the test split.
        subjects: The subject of every case.

    Example:
        >>> split = Split("mine", ("a",), ("b",), ("c",), {"a": "p1", "b": "p2", "c": "p1"})
        >>> str(split.leaks()[0])
        'subject p1 is in train (a) and test (c)'
    """

    protocol: str
    train: tuple[str, ...]
    val: tuple[str, ...]
    test: tuple[str, ...]
    subjects: Mapping[str, str]

    def ids_of(self, split: str) -> tuple[str, ...]:
        """The case ids of "train", "val" or "test"."""
        ids: tuple[str, ...] = getattr(self, split)
        return ids

    def to_dict(self) -> dict[str, Any]:
        """Plain Python with sorted ids: the content of the hash."""
        ids = {split: sorted(self.ids_of(split)) for split in SPLITS}
        return {"protocol": self.protocol, **ids, "subjects": dict(sorted(self.subjects.items()))}

    @property
    def hash(self) -> str:
        """SHA-256 of `to_dict` as canonical JSON."""
        return hash_json(self.to_dict())

    def leaks(self) -> list[Leak]:
        """The subjects that are in more than one split, sorted."""
        places: dict[str, dict[str, list[str]]] = {}
        for split in SPLITS:
            for case_id in self.ids_of(split):
                places.setdefault(self.subjects[case_id], {}).setdefault(split, []).append(case_id)
        return [Leak(subject, found) for subject, found in sorted(places.items()) if len(found) > 1]


def make_split(protocol: str, case_ids: Mapping[str, Iterable[str]], cases: Sequence[Case]) -> Split:
    """Make the splits of a protocol from the case ids of each split.

    Raises:
        DataError: A split is empty, or a case is in two splits.
    """
    subjects = {case.case_id: case.subject for case in cases}
    ids = {split: tuple(case_ids[split]) for split in SPLITS}
    for split in SPLITS:
        if not ids[split]:
            raise DataError(
                f"protocol '{protocol}': no case for the {split} split ({len(cases)} cases found).",
                "Get the missing cases.",
                "split",
            )
    every = [case_id for split in SPLITS for case_id in ids[split]]
    double = sorted(case_id for case_id, count in Counter(every).items() if count > 1)
    if double:
        raise DataError(
            f"protocol '{protocol}': cases in two splits: {', '.join(double[:5])}.",
            "Name each case in one split.",
            "case_twice",
        )
    return Split(protocol, ids["train"], ids["val"], ids["test"], {case_id: subjects[case_id] for case_id in every})


def cut_by_subject(
    protocol: str,
    cases: Sequence[Case],
    shares: tuple[float, float, float] = (0.72, 0.08, 0.20),
    seed: int = 0,
    group: Callable[[Case], str] = lambda case: "",
) -> Split:
    """Shuffle the subjects once and divide them by shares.

    Val and test get their rounded share and at least one subject of each group; train gets the rest. Which other
    groups exist does not change the split of a group. Groups of fewer than three subjects are divided together.

    Args:
        protocol: Name of the protocol.
        cases: The cases to split.
        shares: Shares of train, val and test.
        seed: Seed of the shuffle. It belongs to the protocol and not to a run.
        group: Gives the group of a case, for example a modality or a diagnosis. Each split gets some of each group.

    Raises:
        DataError: There are fewer than three subjects.
    """
    _check_subjects(protocol, cases, SPLITS)
    chosen: dict[str, set[str]] = {split: set() for split in SPLITS}
    for subjects in _grouped(cases, group, least=3):
        shuffled = [subjects[i] for i in np.random.default_rng(seed).permutation(len(subjects))]
        n_test = max(1, round(shares[2] * len(subjects)))
        n_val = max(1, round(shares[1] * len(subjects)))
        chosen["test"].update(shuffled[:n_test])
        chosen["val"].update(shuffled[n_test : n_test + n_val])
        chosen["train"].update(shuffled[n_test + n_val :])
    case_ids = {split: [c.case_id for c in cases if c.subject in subjects] for split, subjects in chosen.items()}
    return make_split(protocol, case_ids, cases)


def hold_out_val(
    protocol: str,
    cases: Sequence[Case],
    test: Collection[str],
    share: float = 0.1,
    seed: int = 0,
    group: Callable[[Case], str] = lambda case: "",
) -> Split:
    """Keep a published test split, and choose val by subject from the other cases.

    Args:
        protocol: Name of the protocol.
        cases: All cases of the data set.
        test: Case ids of the published test split.
        share: Share of the other subjects of each group for val, at least one. Groups of one are divided together.
        seed: Seed of the choice.
        group: Gives the group of a case, as in `cut_by_subject`.

    Raises:
        DataError: There are fewer than two subjects beside the test split, or it is empty.
    """
    rest = [case for case in cases if case.case_id not in test]
    _check_subjects(protocol, rest, SPLITS[:2])
    val: set[str] = set()
    for subjects in _grouped(rest, group, least=2):
        chosen = np.random.default_rng(seed).permutation(len(subjects))[: max(1, round(share * len(subjects)))]
        val.update(subjects[i] for i in chosen)
    case_ids = {
        "train": [case.case_id for case in rest if case.subject not in val],
        "val": [case.case_id for case in rest if case.subject in val],
        "test": [case.case_id for case in cases if case.case_id in test],
    }
    return make_split(protocol, case_ids, cases)


def cut_fold(split: Split, fold: int, folds: int, keep_test: bool = False, seed: int = 0) -> Split:
    """Make one fold of a k-fold by subject: the fold is the test split, a tenth of the other subjects is val.

    Each subject is in one fold, so that every case is tested once over all folds.

    Args:
        split: The splits of the protocol, whose cases are divided again.
        fold: Number of the fold, from 0.
        folds: Number of folds.
        keep_test: Whether the data set has a published test split, which then is in no fold.
        seed: Seed of the division, the same for every run.

    Raises:
        ConfigError: There is no such fold.
        DataError: There are too few subjects.
    """
    if folds < 2 or not 0 <= fold < folds:
        raise ConfigError(
            f"--data.fold {fold} of {folds} is no fold.", "Count from 0, and give --data.folds 2 or more."
        )
    names = SPLITS[:2] if keep_test else SPLITS
    ids = sorted(case_id for one in names for case_id in split.ids_of(one))
    subjects = sorted({split.subjects[case_id] for case_id in ids})
    name = fold_name(split.protocol, fold, folds)
    if len(subjects) < len(SPLITS):
        raise _too_few_subjects(name, len(subjects), len(ids), SPLITS)
    if len(subjects) < folds:
        raise DataError(
            f"{name}: {len(subjects)} subjects are too few.", f"Give --data.folds {len(subjects)} or fewer."
        )
    shuffled = [subjects[i] for i in np.random.default_rng(seed).permutation(len(subjects))]
    test = set(shuffled[fold::folds])
    rest = [subject for subject in shuffled if subject not in test]
    val = set(rest[: max(1, round(0.1 * len(rest)))])
    of_split = {"test": test, "val": val, "train": set(rest) - val}
    chosen = {one: tuple(i for i in ids if split.subjects[i] in members) for one, members in of_split.items()}
    return Split(name, chosen["train"], chosen["val"], chosen["test"], {i: split.subjects[i] for i in ids})


def fold_name(protocol: str, fold: int, folds: int) -> str:
    """The name of a fold of a protocol."""
    return f"{protocol}, fold {fold} of {folds}"


def _check_subjects(protocol: str, cases: Sequence[Case], splits: Sequence[str]) -> None:
    """Check that each split can have a subject of its own.

    Raises:
        DataError: There are fewer subjects than splits.
    """
    subjects = {case.subject for case in cases}
    if len(subjects) < len(splits):
        raise _too_few_subjects(protocol, len(subjects), len(cases), splits)


def _too_few_subjects(protocol: str, subjects: int, cases: int, splits: Sequence[str]) -> DataError:
    """The error about fewer subjects than splits."""
    names = f"{', '.join(splits[:-1])} and {splits[-1]}"
    found = f"{subjects} subject{'' if subjects == 1 else 's'} ({cases} case{'' if cases == 1 else 's'})"
    problem = f"protocol '{protocol}': {found} cannot make the splits {names}."
    return DataError(problem, f"Get cases of {len(splits)} subjects or more.", "split")


def _grouped(cases: Iterable[Case], group: Callable[[Case], str], least: int) -> list[list[str]]:
    """The subjects of each group, both sorted. The first case of a subject decides about its group.

    All groups of fewer than `least` subjects become one group.
    """
    groups: dict[str, str] = {}
    for case in cases:
        groups.setdefault(case.subject, group(case))
    found: dict[str, list[str]] = {}
    for subject in sorted(groups):
        found.setdefault(groups[subject], []).append(subject)
    small = sorted(subject for subjects in found.values() if len(subjects) < least for subject in subjects)
    large = [subjects for _, subjects in sorted(found.items()) if len(subjects) >= least]
    return [*large, small] if small else large


def read_split(name: str, protocol: str, cases: Sequence[Case]) -> Split:
    """Read a protocol of `configs/splits/<name>.json`, without the cases that do not exist.

    Raises:
        UnknownNameError: There is no such protocol.
        DataError: A split is empty.
        ConfigError: The file cannot be read.
    """
    path = CONFIGS / "splits" / f"{name}.json"
    try:
        protocols = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: not a readable split file: {error}.", "Reinstall textseg-zoo.") from error
    if protocol not in protocols:
        raise UnknownNameError("protocol", protocol, protocols, f"zoo show {name}")
    existing = {case.case_id for case in cases}
    published = protocols[protocol]
    missing = sorted(case_id for split in SPLITS for case_id in published[split] if case_id not in existing)
    if missing:
        log.warning("%s, protocol %s: %d cases do not exist: %s", name, protocol, len(missing), ", ".join(missing))
    case_ids = {split: [case_id for case_id in published[split] if case_id in existing] for split in SPLITS}
    return make_split(protocol, case_ids, cases)
