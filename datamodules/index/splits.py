"""Who is trained, selected and tested on: three parts by subject, with a hash that goes into every result."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from zoo.errors import ConfigError, DataError, UnknownNameError
from zoo.registry import CONFIGS
from zoo.types import Case
from zoo.utils.hashing import hash_json

SPLITS = ("train", "val", "test")
log = logging.getLogger(__name__)


class Leak(NamedTuple):
    """A subject that stands in more than one part.

    Attributes:
        subject: The subject.
        places: Part to its cases there.
    """

    subject: str
    places: Mapping[str, Sequence[str]]

    def __str__(self) -> str:
        where = " and ".join(f"{part} ({', '.join(ids)})" for part, ids in self.places.items())
        return f"subject {self.subject} stands in {where}"

    def named(self, cases: Iterable[Case]) -> str:
        """The leak in one line that begins with the file of its last case, where it has one."""
        last = list(self.places.values())[-1][0]
        image = next((case.images[0] for case in cases if case.case_id == last and case.images), last)
        return f"{image}: {self}"


@dataclass(frozen=True, slots=True)
class Split:
    """The three parts of a protocol.

    Attributes:
        protocol: Its name.
        train: Case ids to train on.
        val: Case ids to select on.
        test: Case ids to report on.
        subjects: The subject of every case of the three.
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
        """Plain Python with sorted ids, the content of the hash."""
        ids = {part: sorted(self.ids_of(part)) for part in SPLITS}
        return {"protocol": self.protocol, **ids, "subjects": dict(sorted(self.subjects.items()))}

    @property
    def hash(self) -> str:
        """SHA-256 of `to_dict` as canonical JSON."""
        return hash_json(self.to_dict())

    def leaks(self) -> list[Leak]:
        """The subjects that stand in more than one part, sorted."""
        places: dict[str, dict[str, list[str]]] = {}
        for part in SPLITS:
            for case_id in self.ids_of(part):
                places.setdefault(self.subjects[case_id], {}).setdefault(part, []).append(case_id)
        return [Leak(subject, found) for subject, found in sorted(places.items()) if len(found) > 1]


def make_split(protocol: str, parts: Mapping[str, Iterable[str]], cases: Sequence[Case]) -> Split:
    """A split from the ids of its parts.

    Raises:
        DataError: A part is empty, or a case stands in two parts.
    """
    subjects = {case.case_id: case.subject for case in cases}
    ids = {part: tuple(parts[part]) for part in SPLITS}
    for part in SPLITS:
        if not ids[part]:
            raise DataError(
                f"protocol '{protocol}': no case at hand for the part '{part}' ({len(cases)} cases found).",
                "Fetch the whole set, or choose another --data.protocol.",
                "split",
            )
    every = [case_id for part in SPLITS for case_id in ids[part]]
    double = sorted({case_id for case_id in every if every.count(case_id) > 1}) if len(set(every)) < len(every) else []
    if double:
        raise DataError(
            f"protocol '{protocol}': cases in two parts: {', '.join(double[:5])}.", "Mend the split.", "case_twice"
        )
    return Split(protocol, ids["train"], ids["val"], ids["test"], {case_id: subjects[case_id] for case_id in every})


def cut_by_subject(
    protocol: str,
    cases: Sequence[Case],
    shares: tuple[float, float, float] = (0.72, 0.08, 0.20),
    seed: int = 0,
    group: Callable[[Case], str] = lambda case: "",
) -> Split:
    """Shuffle the subjects once (the seed is the protocol's, not a run's) and cut them by shares.

    Val and test get their rounded share and at least one subject of each group; train gets the rest. The
    subjects of a group are cut the same whichever other groups are at hand; groups that are too small to be in
    all parts, where few cases are at hand, are cut together.

    Args:
        protocol: The split's name.
        cases: What is cut.
        shares: Of train, val and test.
        seed: Of the shuffle.
        group: What a case's subject belongs to, so that each part has some: a modality, a diagnosis.

    Raises:
        DataError: Fewer than three subjects.
    """
    homes: dict[str, set[str]] = {part: set() for part in SPLITS}
    for subjects in _grouped(cases, group, least=3):
        shuffled = [subjects[i] for i in np.random.default_rng(seed).permutation(len(subjects))]
        n_test = max(1, round(shares[2] * len(subjects)))
        n_val = max(1, round(shares[1] * len(subjects)))
        homes["test"].update(shuffled[:n_test])
        homes["val"].update(shuffled[n_test : n_test + n_val])
        homes["train"].update(shuffled[n_test + n_val :])
    return make_split(
        protocol, {part: [c.case_id for c in cases if c.subject in home] for part, home in homes.items()}, cases
    )


def hold_out_val(
    protocol: str,
    cases: Sequence[Case],
    test: Collection[str],
    share: float = 0.1,
    seed: int = 0,
    group: Callable[[Case], str] = lambda case: "",
) -> Split:
    """A set's own test part, and val cut by subject from the rest, once and for all.

    Args:
        protocol: The split's name.
        cases: All of the set.
        test: Ids of the cases that the set tests on.
        share: Of each group's other subjects, for val; at least one. Groups of one are cut together.
        seed: Of the choice.
        group: As in `cut_by_subject`.

    Raises:
        DataError: A part is empty.
    """
    rest = [case for case in cases if case.case_id not in test]
    val: set[str] = set()
    for subjects in _grouped(rest, group, least=2):
        chosen = np.random.default_rng(seed).permutation(len(subjects))[: max(1, round(share * len(subjects)))]
        val.update(subjects[i] for i in chosen)
    parts = {
        "train": [case.case_id for case in rest if case.subject not in val],
        "val": [case.case_id for case in rest if case.subject in val],
        "test": [case.case_id for case in cases if case.case_id in test],
    }
    return make_split(protocol, parts, cases)


def cut_fold(split: Split, fold: int, folds: int, keep_test: bool = False, seed: int = 0) -> Split:
    """One fold of a k-fold by subject: the fold is the test part, a tenth of the other subjects val.

    Each subject is in one fold; every case is tested on in one of them.

    Args:
        split: The protocol's, whose cases are dealt anew.
        fold: Which one, from 0.
        folds: How many.
        keep_test: The set has a test part of its own: it is left out of all folds.
        seed: Of the deal, which is the same for every run.

    Raises:
        ConfigError: There is no such fold.
        DataError: There are too few subjects.
    """
    if folds < 2 or not 0 <= fold < folds:
        raise ConfigError(f"--data.fold {fold} of {folds} is no fold.", "Count from 0; give --data.folds 2 or more.")
    parts = SPLITS[:2] if keep_test else SPLITS
    ids = sorted(case_id for part in parts for case_id in split.ids_of(part))
    subjects = sorted({split.subjects[case_id] for case_id in ids})
    name = fold_name(split.protocol, fold, folds)
    if len(subjects) < max(folds, 3):
        raise DataError(f"{name}: {len(subjects)} subjects are too few.", "Give fewer --data.folds.")
    shuffled = [subjects[i] for i in np.random.default_rng(seed).permutation(len(subjects))]
    test = set(shuffled[fold::folds])
    rest = [subject for subject in shuffled if subject not in test]
    val = set(rest[: max(1, round(0.1 * len(rest)))])
    homes = {"test": test, "val": val, "train": set(rest) - val}
    chosen = {part: tuple(i for i in ids if split.subjects[i] in home) for part, home in homes.items()}
    return Split(name, chosen["train"], chosen["val"], chosen["test"], {i: split.subjects[i] for i in ids})


def fold_name(protocol: str, fold: int, folds: int) -> str:
    """The name of a fold of a protocol."""
    return f"{protocol}, fold {fold} of {folds}"


def _grouped(cases: Iterable[Case], group: Callable[[Case], str], least: int) -> list[list[str]]:
    """The subjects of each group, both sorted; a subject is of the group of its first case.

    Groups of fewer than `least` subjects are one.
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
    """A protocol of `configs/splits/<name>.json`, restricted to the cases at hand.

    Raises:
        UnknownNameError: No such protocol.
        DataError: A part is empty.
        ConfigError: The file cannot be read.
    """
    path = CONFIGS / "splits" / f"{name}.json"
    try:
        protocols = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: not a readable split file: {error}.", "Reinstall textseg-zoo.") from error
    if protocol not in protocols:
        raise UnknownNameError("protocol", protocol, protocols, f"zoo show {name}")
    at_hand = {case.case_id for case in cases}
    wanted = protocols[protocol]
    missing = sorted(case_id for part in SPLITS for case_id in wanted[part] if case_id not in at_hand)
    if missing:
        log.warning("%s, protocol %s: %d cases are not at hand: %s", name, protocol, len(missing), ", ".join(missing))
    parts = {part: [case_id for case_id in wanted[part] if case_id in at_hand] for part in SPLITS}
    return make_split(protocol, parts, cases)
