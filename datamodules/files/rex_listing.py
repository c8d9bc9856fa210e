"""The listings of ReXGroundingCT: which volumes a protocol has, and where their files are. No torch here."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from itertools import groupby
from pathlib import Path
from typing import Any

from datamodules.acquire.repositories import draw_order
from datamodules.files.json_files import load_json
from datamodules.index.case_names import nifti_stem
from zoo.errors import ConfigError, DataError

BASE, CHALLENGE = "dataset.json", "MICCAI_challenge_dataset.json"
"""The listings: of the base release with 50 val cases, and of the challenge of 2026 with 200."""

NO_CHEST = ("train_11755_a_3", "train_11755_a_4")
"""Volumes of CT-RATE that show no chest."""

MASKS, CTS = "rajpurkarlab/ReXGroundingCT", "ibrahimhamamci/CT-RATE"
"""The repositories of the masks and of the CTs."""

_FEWEST = 3  # two train subjects, of which one is val, and a reported volume
_REPORTED_SHARE = 0.25
log = logging.getLogger(__name__)


class RexListing:
    """The entries of one protocol.

    Args:
        find: Returns the file of a listing by its name.
        protocol: One of the protocols of the card.
    """

    def __init__(self, find: Callable[[str], Path], protocol: str) -> None:
        self.find, self.protocol = find, protocol
        self._contents: dict[str, dict[str, list[Mapping[str, Any]]]] = {}

    @cached_property
    def train(self) -> list[Mapping[str, Any]]:
        """The training entries, without volumes that show no chest and without subjects of the reported cases."""
        reported = {subject_of(entry["name"]) for entry in self.reported}
        kept: list[Mapping[str, Any]] = []
        left: list[Mapping[str, Any]] = []
        for entry in self._read(BASE if self.protocol == "base50" else CHALLENGE)["train"]:
            stem = nifti_stem(Path(entry["name"]))
            (left if stem in NO_CHEST or subject_of(stem) in reported else kept).append(entry)
        if left:
            names = ", ".join(entry["name"] for entry in left[:5])
            problem = "%d training volumes are left out (no chest, or a reported subject): %s"
            log.info(f"rexgroundingct: {problem}", len(left), names)
        return kept

    @cached_property
    def reported(self) -> list[Mapping[str, Any]]:
        """The entries that the protocol reports."""
        if self.protocol == "base50":
            return self._read(BASE)["val"]
        reported = self._read(CHALLENGE)["val"]
        if self.protocol == "added150":
            base = {entry["name"] for entry in self._read(BASE)["val"]}
            return [entry for entry in reported if entry["name"] not in base]
        return reported

    def _read(self, name: str) -> dict[str, list[Mapping[str, Any]]]:
        """Read a listing once."""
        if name not in self._contents:
            self._contents[name] = _read(self.find(name))
        return self._contents[name]


def choose_files(find: Callable[[str], Path], cases: int | None, protocol: str) -> dict[str, list[str]]:
    """Choose the files of some cases: per volume its masks in one repository and its CT in the other.

    A quarter of the volumes is reported, at least one. The draw does not depend on the order of the listing. The
    volumes of a smaller number are among those of a larger one, except for rounding of the quarter.

    Args:
        find: Returns a downloaded listing by its name.
        cases: Number of volumes; None for all.
        protocol: One of the protocols of the card.

    Returns:
        Paths by repository.

    Raises:
        ConfigError: The number is too small for a training and a test.
        DataError: A listing cannot be read.
    """
    listing = RexListing(find, protocol)
    train, reported = _drawn(listing.train), _drawn(listing.reported)
    if cases is not None:
        if cases < _FEWEST:
            problem = f"--cases {cases} is too few for rexgroundingct: train, val and test need one volume each."
            raise ConfigError(problem, f"Give {_FEWEST} or more.")
        count = min(len(reported), max(1, round(_REPORTED_SHARE * cases)))
        train, reported = train[: cases - count], reported[:count]
    names = [*train, *reported]
    return {MASKS: [f"segmentations/{name}" for name in names], CTS: [place_of(name) for name in names]}


def place_of(name: str) -> str:
    """Return the path of a CT in the repository of CT-RATE.

    Example:
        >>> place_of("train_1741_b_2.nii.gz")
        'dataset/train_fixed/train_1741/train_1741_b/train_1741_b_2.nii.gz'
    """
    parts = nifti_stem(Path(name)).split("_")
    return f"dataset/{parts[0]}_fixed/{'_'.join(parts[:2])}/{'_'.join(parts[:3])}/{name}"


def subject_of(name: str) -> str:
    """Return the subject of a volume: the first two parts of its name.

    Example:
        >>> subject_of("train_1741_b_2.nii.gz")
        'train_1741'
    """
    return "_".join(name.split("_")[:2])


def _drawn(entries: Sequence[Mapping[str, Any]]) -> list[str]:
    """Names in the order of the draw; every subject once, before any subject has its second volume."""
    names = sorted((str(entry["name"]) for entry in entries), key=lambda name: (subject_of(name), name))
    turns: dict[str, int] = {}
    for _, some in groupby(names, subject_of):
        turns |= {name: turn for turn, name in enumerate(draw_order(some))}
    return sorted(draw_order(names), key=turns.__getitem__)


def _read(path: Path) -> dict[str, list[Mapping[str, Any]]]:
    """Read a listing and check what is relied on.

    Raises:
        DataError: The file is missing, or an entry lacks a key.
    """
    content = load_json(path, "Get the listings of the release.", "Download the file again.")
    if not isinstance(content, dict) or not all(isinstance(content.get(key), list) for key in ("train", "val")):
        raise DataError(f"{path}: no lists `train` and `val`.", "Download the file again.", "unreadable")
    for part in ("train", "val"):
        for number, entry in enumerate(content[part]):
            _check_entry(f"{path}: {part}[{number}]", entry)
    return content


def _check_entry(place: str, entry: Any) -> None:
    """Check the keys of an entry that are relied on."""
    given = entry if isinstance(entry, dict) else {}
    findings, shape = given.get("findings"), given.get("shape")
    fix = "Download the file again; a later release needs a new reader."
    if not isinstance(given.get("name"), str) or not isinstance(findings, dict) or not findings:
        raise DataError(f"{place} has no `name` or no `findings`.", fix, "unreadable")
    if not all(key.isdecimal() and isinstance(text, str) for key, text in findings.items()):
        raise DataError(f"{place}: `findings` is not {{number: text}}.", fix, "unreadable")
    if not (isinstance(shape, list) and len(shape) == 3 and all(type(size) is int for size in shape)):
        raise DataError(f"{place}: `shape` is not three numbers.", fix, "unreadable")
