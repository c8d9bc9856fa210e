"""What a fault is, and all that are known of a set."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from zoo.errors import FAULTS, DataError, Fault

KINDS: dict[Fault, str] = {
    "subject_leak": "a subject stands in two parts",
    "duplicate_across_parts": "the same image in two parts",
    "near_duplicate_across_parts": "nearly the same image in two parts, as two subjects",
    "case_twice": "a case id comes twice",
    "split": "the protocol's parts cannot be made",
    "missing_file": "a file is not there",
    "unreadable": "a file is truncated, damaged or of another kind",
    "incomplete_series": "slices or masks of a series are missing",
    "dimensions": "axes or channels are not those that are due",
    "shape_mismatch": "two files of a case differ in shape",
    "affine_unusable": "the header does not say where the voxels lie",
    "affine_mismatch": "two files of a case differ in origin, spacing or direction",
    "not_finite": "an image has NaN or infinite values",
    "constant_image": "an image has one value alone",
    "label_values": "a label has values that the card does not know",
    "label_not_whole": "a label has values that are no whole numbers",
    "empty_mask": "a label is background alone",
    "mask_shared": "several cases name one label file",
    "class_absent": "a class stands in no label",
    "caption_table": "a caption table cannot be read",
    "caption_missing": "an image has no caption",
    "caption_empty": "a caption is empty",
    "caption_doubled": "a caption table names a file twice",
    "caption_without_image": "a caption names a file that is not there",
    "side_contradiction": "left and right in the caption are not those of the mask",
    "duplicate": "the same image twice in one part",
    "near_duplicate": "nearly the same image twice in one part, as two subjects",
}
"""Every kind of finding in words, weightiest first."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One fault.

    Attributes:
        case_id: The case; empty where it concerns the set.
        file: The file; of several the one that is to be mended.
        kind: One of `KINDS`.
        problem: What is wrong, in one line that begins with the file.
        fix: What mends it; may be empty.
    """

    case_id: str
    file: str
    kind: Fault
    problem: str
    fix: str = ""

    @classmethod
    def of(cls, error: DataError, case_id: str = "") -> Finding:
        """The finding that an error is: its message begins with the file."""
        problem = " ".join(error.problem.split())
        return cls(case_id, problem.partition(": ")[0], error.kind, problem, error.fix)


@dataclass(frozen=True, slots=True)
class Report:
    """What was looked at and what was found.

    Attributes:
        data: Name of the set.
        protocol: Name of the split.
        cases: How many cases the index has.
        files: How many files were read whole.
        findings: Weightiest kind first, then in the order of the cases.
        known: Of the published set itself, as its card says (`known`): looked at one by one, and no fault of the copy.
    """

    data: str
    protocol: str
    cases: int
    files: int
    findings: tuple[Finding, ...]
    known: tuple[Finding, ...] = ()

    @property
    def kinds(self) -> dict[Fault, int]:
        """How many findings there are of each kind that there is, weightiest first."""
        counts = Counter(finding.kind for finding in self.findings)
        return {kind: counts[kind] for kind in FAULTS if kind in counts}

    def to_dict(self) -> dict[str, Any]:
        """Plain Python, for `--json`."""
        return {**asdict(self), "kinds": self.kinds}


def ordered(findings: Sequence[Finding], case_ids: Sequence[str]) -> tuple[Finding, ...]:
    """The findings by weight, then in the order of the cases, what concerns the set first."""
    place = {case_id: number for number, case_id in enumerate(case_ids)}
    return tuple(sorted(findings, key=lambda f: (FAULTS.index(f.kind), place.get(f.case_id, -1), f.file, f.problem)))
