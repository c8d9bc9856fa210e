"""Checks of an index that open no image. Training and `datamodules.verify` use the same checks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from datamodules.index.case_names import find_unusable_name
from datamodules.index.findings import Finding
from zoo.errors import DataError
from zoo.types import Case

_SHOWN = 5  # cases that a message names

ABSENT_CASES_FIX = "Get these cases, or continue: the splits are made of the cases that exist."


def without_absent(cases: Sequence[Case]) -> tuple[list[Case], str]:
    """Leave out the cases of a listing that have no file. All cases stay where none of them has a file.

    Returns:
        The cases with a file, and a sentence about the others; empty where there are no others.
    """
    existing: list[Case] = []
    missing: list[str] = []
    exists = _Existence()
    for case in cases:
        if exists.of_any(case):
            existing.append(case)
        else:
            missing.append(str(case.key))
    if not existing or not missing:
        return list(cases), ""
    more = ", ..." if len(missing) > _SHOWN else ""
    named = ", ".join(missing[:_SHOWN])
    return existing, f"{len(missing)} of {len(cases)} listed cases have no file: {named}{more}."


def index_findings(cases: Sequence[Case], reports: bool) -> list[Finding]:
    """Find the faults of an index.

    Args:
        cases: The cases of the index.
        reports: Whether every case must have a report.

    Returns:
        Findings about missing files, missing or empty captions, captions without an image, case ids that occur twice,
        label files of several cases, and names that no file can have.
    """
    unusable = {id(case): finding for case in cases if (finding := find_unusable_name(case))}
    findings = list(unusable.values())
    cases = [case for case in cases if id(case) not in unusable]
    exists = _Existence()
    lacking = {id(case): exists.missing_of(case) for case in cases}
    caption_only = {
        id(case)
        for case in cases
        if reports and case.report is not None and case.images and len(lacking[id(case)]) == len(_files(case))
    }
    times = Counter(case.key for case in cases if id(case) not in caption_only)
    twice = {key for key, count in times.items() if count > 1}
    for case in {case.key: case for case in cases}.values() if twice else ():
        if case.key in twice:
            problem = f"{_name(case)}: the case id '{case.key}' occurs {times[case.key]} times."
            findings.append(Finding(case.case_id, _name(case), "case_twice", problem, "Rename or remove one."))
    findings += _several_subjects(cases)
    findings += _shared_labels(cases)
    for case in cases:
        if id(case) in caption_only:
            problem = f"{_name(case)}: a caption names this file, but it and its mask are missing."
            fix = "Get the file again, or remove the caption."
            findings.append(Finding(case.case_id, _name(case), "caption_without_image", problem, fix))
        else:
            findings += _missing_files(case, lacking[id(case)])
            findings += _caption(case) if reports else []
    return findings


def raise_first_finding(cases: Sequence[Case], reports: bool, data: str) -> None:
    """Check cases as `index_findings`.

    Args:
        cases: The cases.
        reports: Whether every case must have a report.
        data: Name of the data set, for the message.

    Raises:
        DataError: There is a finding; the message has the first one.
    """
    findings = index_findings(cases, reports)
    if findings:
        count = f" all {len(findings)}" if len(findings) > 1 else " all"
        fix = f"{findings[0].fix} Run `zoo data verify {data}` for{count} findings."
        raise DataError(findings[0].problem, fix.strip(), findings[0].kind)


def _shared_labels(cases: Sequence[Case]) -> list[Finding]:
    """One finding per label file that several images have: one label cannot belong to two images."""
    owners: dict[Path, dict[str, None]] = {}
    for case in cases:
        if case.label is not None:
            owners.setdefault(case.label, {})[case.case_id] = None
    findings = []
    for path, names in owners.items():
        if len(names) > 1:
            some = ", ".join([*names][:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")
            problem = f"{path}: the label of {len(names)} cases ({some})."
            fix = "Give each case a label file of its own."
            findings.append(Finding(next(iter(names)), str(path), "mask_shared", problem, fix))
    return findings


def _several_subjects(cases: Sequence[Case]) -> list[Finding]:
    """One finding per image whose queries name different subjects: splits are made by subject."""
    subjects: dict[str, str] = {}
    found: dict[str, Case] = {}
    for case in cases:
        if case.query and subjects.setdefault(case.case_id, case.subject) != case.subject:
            found[case.case_id] = case
    return [
        Finding(
            case.case_id,
            _name(case),
            "split",
            f"{_name(case)}: queries of several subjects ('{subjects[case.case_id]}', '{case.subject}').",
            "Give all queries of an image the subject of the image.",
        )
        for case in found.values()
    ]


class _Existence:
    """Whether files exist. Each file is looked up once, although many queries may have it."""

    def __init__(self) -> None:
        self._known: dict[Path, bool] = {}

    def of_any(self, case: Case) -> bool:
        """Whether any file of a case exists; true for a generated case, which needs none."""
        return not case.images or any(self.of_file(path) for path in _files(case))

    def missing_of(self, case: Case) -> list[Path]:
        """The files of a case that do not exist."""
        return [path for path in _files(case) if not self.of_file(path)]

    def of_file(self, path: Path) -> bool:
        """Whether a file exists; false for a path that no file can have."""
        known = self._known.get(path)
        if known is None:
            try:
                known = path.is_file()
            except (OSError, ValueError):
                known = False
            self._known[path] = known
        return known


def _files(case: Case) -> tuple[Path, ...]:
    return case.images if case.label is None else (*case.images, case.label)


def _name(case: Case) -> str:
    return str(case.images[0]) if case.images else case.case_id


def _missing_files(case: Case, missing: Sequence[Path]) -> list[Finding]:
    fix = "Get it again, or give the right folder with --data.root."
    return [Finding(case.case_id, str(path), "missing_file", f"{path}: no such file.", fix) for path in missing]


def _caption(case: Case) -> list[Finding]:
    fix = "Add it to the caption table, or remove the case."
    if case.report is None:
        return [Finding(case.case_id, _name(case), "caption_missing", f"{_name(case)}: the caption is missing.", fix)]
    if not case.report.strip():
        return [Finding(case.case_id, _name(case), "caption_empty", f"{_name(case)}: the caption is empty.", fix)]
    return []
