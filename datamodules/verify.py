"""Every fault of a data set in one pass: files, labels, captions, subjects. Finds, never mends."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from datamodules.prepare import same_shape, to_classes
from datamodules.readers import Reader
from zoo.errors import DataError
from zoo.types import Case, LabelSpace

if TYPE_CHECKING:
    from datamodules.base import SegDataModule

T = TypeVar("T")


class Finding(NamedTuple):
    """One fault.

    Attributes:
        case_id: The case; empty where it concerns the set.
        problem: What is wrong, beginning with the file.
    """

    case_id: str
    problem: str


def index_findings(cases: Sequence[Case], reports: bool) -> list[Finding]:
    """What is wrong with an index, without opening an image.

    Args:
        cases: The index.
        reports: Whether every case must have a report.

    Returns:
        Findings: missing files, missing or empty captions, case ids that come twice.
    """
    findings = []
    for case_id, times in Counter(case.case_id for case in cases).items():
        if times > 1:
            findings.append(Finding(case_id, f"{case_id}: the case id comes {times} times."))
    for case in cases:
        for path in (*case.images, *([case.label] if case.label else [])):
            if not path.is_file():
                findings.append(Finding(case.case_id, f"{path}: no such file."))
        name = case.images[0] if case.images else case.case_id
        if reports and case.report is None:
            findings.append(Finding(case.case_id, f"{name}: the caption is missing."))
        elif reports and not (case.report or "").strip():
            findings.append(Finding(case.case_id, f"{name}: the caption is empty."))
    return findings


def file_findings(case: Case, labels: LabelSpace, reader: Reader) -> list[Finding]:
    """What is wrong with one case's files: each is read whole; a missing one is the index's matter."""
    findings: list[Finding] = []

    def attempt(check: Callable[[], T]) -> T | None:
        try:
            return check()
        except DataError as error:
            findings.append(Finding(case.case_id, str(error)))
            return None

    def read(path: Path) -> None:
        found = attempt(lambda: reader.image(path))
        if found is not None:
            shapes.append((path, found[0].shape[1:]))

    shapes: list[tuple[Path, tuple[int, ...]]] = []
    for path in case.images:
        if path.is_file():
            read(path)
    label = case.label
    raw = attempt(lambda: reader.label(label)) if label is not None and label.is_file() else None
    if label is not None and raw is not None:
        values = raw[0]
        shapes.append((label, values.shape))
        attempt(lambda: to_classes(values, labels, label))
    for path, shape in shapes[1:]:
        attempt(lambda path=path, shape=shape: same_shape(path, shape, *shapes[0]))  # type: ignore[misc]
    return findings


def verify(data: SegDataModule, progress: Callable[[Iterable[Case]], Iterable[Case]] = iter) -> list[Finding]:
    """All findings of a set.

    Args:
        data: The set; its files are read, nothing is prepared or written.
        progress: Wraps the cases while their files are read.

    Raises:
        DataError: The set's layout is not the documented one, so that there is no index.
    """
    cases = data.index()
    findings = index_findings(cases, data.has_reports)
    try:
        split = data.cut(cases)
    except DataError as error:
        findings.append(Finding("", str(error)))
    else:
        if data.declares_leak:
            data.check_leaks(split, cases)
        else:
            findings += [Finding("", f"{leak.named(cases)} (protocol {data.protocol}).") for leak in split.leaks()]
    for case in progress(cases):
        if data.embedded:
            data.load(case)
        else:
            findings += file_findings(case, data.labels, data.reader)
    return findings
