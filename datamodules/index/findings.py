"""Findings: the faults of a data set, and the report of all of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from zoo.errors import FAULTS, DataError, Fault

SIDE_CONTRADICTION: Fault = "side_contradiction"

KINDS: dict[Fault, str] = {
    "subject_leak": "a subject is in two splits",
    "duplicate_across_parts": "the same image is in two splits",
    "near_duplicate_across_parts": "nearly the same image is in two splits, with two subjects",
    "case_twice": "a case id occurs twice",
    "unusable_name": "a name cannot be the name of a file",
    "split": "the splits of the protocol cannot be made",
    "missing_file": "a file is missing",
    "unreadable": "a file is truncated, damaged or of another kind",
    "incomplete_series": "slices or masks of a series are missing",
    "dimensions": "axes or channels differ from the card",
    "shape_mismatch": "two files of a case differ in shape",
    "affine_unusable": "the header has no usable position of the voxels",
    "affine_mismatch": "two files of a case differ in origin, spacing or direction",
    "not_finite": "an image has NaN or infinite values",
    "constant_image": "an image has only one value",
    "label_values": "a label has values that are not on the card",
    "label_not_whole": "a label has values that are not whole numbers",
    "empty_mask": "a label is only background",
    "mask_shared": "several cases have the same label file",
    "class_absent": "a class is in no label",
    "caption_table": "a caption table cannot be read",
    "captions_of_others": "the captions are those of another data set",
    "caption_missing": "an image has no caption",
    "caption_empty": "a caption is empty",
    "caption_doubled": "a caption table names a file twice",
    "caption_without_image": "a caption names a file that is missing",
    "absence_contradiction": "the caption says that there is nothing, but mask or box shows something",
    SIDE_CONTRADICTION: "left and right in the caption differ from the mask",
    "shared_case": "the same image is in another data set, and no card says so",
    "duplicate": "the same image is in one split twice",
    "near_duplicate": "nearly the same image is in one split twice, with two subjects",
}
"""Every kind of finding in words, the most serious first."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One fault.

    Attributes:
        case_id: The case; empty where the finding is about the data set.
        file: The file; among several files the one to correct.
        kind: One of `KINDS`.
        problem: What is wrong, in one line that begins with the file.
        fix: What to do; may be empty.
    """

    case_id: str
    file: str
    kind: Fault
    problem: str
    fix: str = ""

    @classmethod
    def of(cls, error: DataError, case_id: str = "") -> Finding:
        """Make a finding of an error, whose message begins with the file."""
        problem = " ".join(error.problem.split())
        return cls(case_id, problem.partition(": ")[0], error.kind, problem, error.fix)


@dataclass(frozen=True, slots=True)
class SharedCases:
    """The cases that a data set shares with another one.

    Attributes:
        data: Name of the other data set.
        folder: Its folder.
        declared: Whether the cards say that both share cases.
        pairs: The case of this data set and that of the other one.
        unread: Number of images of the other data set that cannot be read.
        findings: One per pair.
        problem: Why the other data set cannot be compared; empty where it can.
    """

    data: str
    folder: str
    declared: bool
    pairs: tuple[tuple[str, str], ...] = ()
    unread: int = 0
    findings: tuple[Finding, ...] = ()
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """What was checked and what was found.

    Attributes:
        data: Name of the data set.
        protocol: Name of the protocol.
        cases: Number of cases in the index.
        files: Number of files that were read completely.
        findings: The findings, the most serious kind first, then in the order of the cases.
        known: Findings that the published data set is known to have (`known` on its card). A copy has no fault.
        shared: The cases that other data sets have as well, one entry per compared data set. They are findings where
            no card declares them.
    """

    data: str
    protocol: str
    cases: int
    files: int
    findings: tuple[Finding, ...]
    known: tuple[Finding, ...] = ()
    shared: tuple[SharedCases, ...] = ()

    @property
    def kinds(self) -> dict[Fault, int]:
        """The number of findings of each kind that was found, the most serious kind first."""
        counts = Counter(finding.kind for finding in self.findings)
        return {kind: counts[kind] for kind in FAULTS if kind in counts}

    def to_dict(self) -> dict[str, Any]:
        """Plain Python, for `--json`."""
        shared = [{key: value for key, value in asdict(one).items() if key != "findings"} for one in self.shared]
        return {**asdict(self), "shared": shared, "kinds": self.kinds}


def ordered(findings: Sequence[Finding], case_ids: Sequence[str]) -> tuple[Finding, ...]:
    """Sort findings: the most serious kind first, then about the data set, then in the order of the cases."""
    place = {case_id: number for number, case_id in enumerate(case_ids)}
    return tuple(sorted(findings, key=lambda f: (FAULTS.index(f.kind), place.get(f.case_id, -1), f.file, f.problem)))
