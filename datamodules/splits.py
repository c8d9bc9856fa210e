"""Who is trained, selected and tested on: three parts by subject, with a hash that goes into every result."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from datamodules.digest import digest
from zoo.errors import ConfigError, DataError, UnknownNameError
from zoo.registry import CONFIGS
from zoo.types import Case

PARTS = ("train", "val", "test")
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

    def part(self, name: str) -> tuple[str, ...]:
        """The case ids of "train", "val" or "test"."""
        ids: tuple[str, ...] = getattr(self, name)
        return ids

    def to_dict(self) -> dict[str, Any]:
        """Plain Python with sorted ids, the content of the hash."""
        ids = {part: sorted(self.part(part)) for part in PARTS}
        return {"protocol": self.protocol, **ids, "subjects": dict(sorted(self.subjects.items()))}

    @property
    def hash(self) -> str:
        """SHA-256 of `to_dict` as canonical JSON."""
        return digest(self.to_dict())

    def leaks(self) -> list[Leak]:
        """The subjects that stand in more than one part, sorted."""
        places: dict[str, dict[str, list[str]]] = {}
        for part in PARTS:
            for case_id in self.part(part):
                places.setdefault(self.subjects[case_id], {}).setdefault(part, []).append(case_id)
        return [Leak(subject, found) for subject, found in sorted(places.items()) if len(found) > 1]


def make_split(protocol: str, parts: Mapping[str, Iterable[str]], cases: Sequence[Case]) -> Split:
    """A split from the ids of its parts.

    Raises:
        DataError: A part is empty, or a case stands in two parts.
    """
    subjects = {case.case_id: case.subject for case in cases}
    ids = {part: tuple(parts[part]) for part in PARTS}
    for part in PARTS:
        if not ids[part]:
            raise DataError(
                f"protocol '{protocol}': no case at hand for the part '{part}' ({len(cases)} cases found).",
                "Fetch the whole set, or choose another --data.protocol.",
            )
    every = [case_id for part in PARTS for case_id in ids[part]]
    double = sorted({case_id for case_id in every if every.count(case_id) > 1}) if len(set(every)) < len(every) else []
    if double:
        raise DataError(f"protocol '{protocol}': cases in two parts: {', '.join(double[:5])}.", "Mend the split.")
    return Split(protocol, ids["train"], ids["val"], ids["test"], {case_id: subjects[case_id] for case_id in every})


def cut_by_subject(
    protocol: str, cases: Sequence[Case], shares: tuple[float, float, float] = (0.72, 0.08, 0.20), seed: int = 0
) -> Split:
    """Shuffle the subjects once (the seed is the protocol's, not a run's) and cut them by shares.

    Val and test get their rounded share and at least one subject; train gets the rest.

    Raises:
        DataError: Fewer than three subjects.
    """
    subjects = sorted({case.subject for case in cases})
    shuffled = [subjects[i] for i in np.random.default_rng(seed).permutation(len(subjects))]
    n_test = max(1, round(shares[2] * len(subjects)))
    n_val = max(1, round(shares[1] * len(subjects)))
    homes = {
        "test": set(shuffled[:n_test]),
        "val": set(shuffled[n_test : n_test + n_val]),
        "train": set(shuffled[n_test + n_val :]),
    }
    return make_split(
        protocol, {part: [c.case_id for c in cases if c.subject in home] for part, home in homes.items()}, cases
    )


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
    missing = [case_id for part in PARTS for case_id in wanted[part] if case_id not in at_hand]
    if missing:
        log.warning("%s, protocol %s: %d cases are not at hand: %s", name, protocol, len(missing), ", ".join(missing))
    parts = {part: [case_id for case_id in wanted[part] if case_id in at_hand] for part in PARTS}
    return make_split(protocol, parts, cases)
