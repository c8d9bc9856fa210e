"""What is wrong with an index, without opening an image: asked by what trains and by `datamodules.verify` alike."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from datamodules.index.findings import Finding
from zoo.types import Case

_SHOWN = 5  # names of many


NOT_AT_HAND = "Fetch them, or go on: the parts are made of the cases that are there."


def without_absent(cases: Sequence[Case]) -> tuple[list[Case], str]:
    """An archive's listing without the cases of which no file is there; all of it where that is true of each.

    Returns:
        The cases left, and a sentence that names the others; empty where there are none.
    """
    left: list[Case] = []
    lost: list[str] = []
    for case in cases:
        if _any_there(case):
            left.append(case)
        else:
            lost.append(case.case_id)
    if not left or not lost:
        return list(cases), ""
    more = ", ..." if len(lost) > _SHOWN else ""
    return left, f"{len(lost)} of {len(cases)} listed cases are not at hand: {', '.join(lost[:_SHOWN])}{more}."


def index_findings(cases: Sequence[Case], reports: bool) -> list[Finding]:
    """What is wrong with an index.

    Args:
        cases: The index.
        reports: Whether every case must have a report.

    Returns:
        Findings: missing files, missing or empty captions, captions of nothing, case ids that come twice,
        label files that several cases name.
    """
    findings = []
    named_only = {id(case) for case in cases if reports and case.report is not None and not _any_there(case)}
    times = Counter(case.key for case in cases if id(case) not in named_only)
    for case in {case.key: case for case in cases}.values():
        if times[case.key] > 1:
            problem = f"{_name(case)}: the case id '{case.key}' comes {times[case.key]} times."
            findings.append(Finding(case.case_id, _name(case), "case_twice", problem, "Rename or remove one."))
    findings += _several_subjects(cases)
    findings += _shared_labels(cases)
    for case in cases:
        if id(case) in named_only:
            problem = f"{_name(case)}: no such file, nor a mask of it, but a caption names it."
            fix = "Fetch the file again, or remove the caption."
            findings.append(Finding(case.case_id, _name(case), "caption_without_image", problem, fix))
        else:
            findings += _missing_files(case)
            findings += _caption(case) if reports else []
    return findings


def _shared_labels(cases: Sequence[Case]) -> list[Finding]:
    """One finding per label file that cases with different ids name: the label of one image is not that of another."""
    owners: dict[Path, dict[str, None]] = {}
    for case in cases:
        if case.label is not None:
            owners.setdefault(case.label, {})[case.case_id] = None
    findings = []
    for path, names in owners.items():
        if len(names) > 1:
            some = ", ".join([*names][:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")
            problem = f"{path}: the label of {len(names)} cases ({some})."
            fix = "Name each case's own label file."
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


def _any_there(case: Case) -> bool:
    """Whether any file of a case exists; a generated case has none to miss."""
    return not case.images or any(path.is_file() for path in (*case.images, *([case.label] if case.label else [])))


def _name(case: Case) -> str:
    return str(case.images[0]) if case.images else case.case_id


def _missing_files(case: Case) -> list[Finding]:
    fix = "Fetch it again, or name the right folder with --data.root."
    return [
        Finding(case.case_id, str(path), "missing_file", f"{path}: no such file.", fix)
        for path in (*case.images, *([case.label] if case.label else []))
        if not path.is_file()
    ]


def _caption(case: Case) -> list[Finding]:
    fix = "Add it to the caption table, or remove the case."
    if case.report is None:
        return [Finding(case.case_id, _name(case), "caption_missing", f"{_name(case)}: the caption is missing.", fix)]
    if not case.report.strip():
        return [Finding(case.case_id, _name(case), "caption_empty", f"{_name(case)}: the caption is empty.", fix)]
    return []
