"""The whole of a set: its index, its split, every file, and the images against each other."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING

from datamodules.files.caption_tables import caption_faults
from datamodules.index.checks import NOT_AT_HAND, index_findings
from datamodules.index.findings import Finding, Report, ordered
from datamodules.index.splits import PARTS
from datamodules.verify.duplicates import duplicate_findings
from datamodules.verify.files import Seen, examine
from datamodules.verify.split_check import split_findings
from zoo.types import Case

if TYPE_CHECKING:
    from datamodules.bases.base import SegDataModule

MOST_WORKERS = 8


def inspect_set(
    data: SegDataModule,
    progress: Callable[[Iterable[Case]], Iterable[Case]],
    workers: int | None,
    tolerance: float,
) -> Report:
    """See `datamodules.verify.inspect`."""
    data = copy.copy(data)  # what it keeps of an index read leniently is never trained on
    with caption_faults() as faults:
        cases = data.index()
    findings = [Finding.of(fault) for fault in faults]
    cases, absent = (cases, "") if data.has_reports else data.at_hand(cases)  # a caption of nothing is named by itself
    if absent:
        findings.append(Finding("", str(data.folder), "missing_file", f"{data.folder}: {absent}", NOT_AT_HAND))
    of_index = index_findings(cases, data.has_reports)
    of_split, split = split_findings(data, cases)
    parts = {case_id: part for part in PARTS for case_id in split.part(part)} if split else {}
    findings += _not_following(of_index + of_split, findings)
    files, looks, classes = 0, [], []
    for seen in _examined(data, cases, progress, workers or default_workers(), tolerance):
        findings += seen.findings
        files += seen.files
        if seen.look is not None:
            looks.append(seen.look)
        if seen.classes is not None:
            classes.append(seen.classes)
    findings += _absent_classes(data, classes)
    twice = duplicate_findings(looks, parts)
    findings += [finding for finding in twice if finding.kind != "near_duplicate" or not data.about.get("video")]
    unique = list(dict.fromkeys(findings))
    known = {(str(case_id), kind) for case_id, kind in data.about.get("known", {}).items()}
    listed = ordered(unique, [case.case_id for case in cases])
    return Report(
        data.name,
        split.protocol if split else data.protocol,
        len(cases),
        files,
        tuple(finding for finding in listed if (finding.case_id, finding.kind) not in known),
        tuple(finding for finding in listed if (finding.case_id, finding.kind) in known),
    )


def _absent_classes(data: SegDataModule, classes: list[frozenset[int]]) -> list[Finding]:
    """One finding per class that none of the labels holds and that the card does not call absent.

    No finding where no label was read.
    """
    declared = {name for names in data.about.get("absent", {}).values() for name in names}
    absent = set(range(len(data.labels.names))).difference(*classes) if classes else set()
    fix = "Give the class its values in the labels, or leave the class out."
    return [
        Finding(
            "",
            str(data.folder),
            "class_absent",
            f"{data.folder}: class '{data.labels.names[number]}' (values {list(data.labels.values[number])}) stands in "
            f"none of {len(classes)} labels.",
            fix,
        )
        for number in sorted(absent)
        if data.labels.names[number] not in declared
    ]


def default_workers() -> int:
    """One a processor, at most `MOST_WORKERS`: each holds a volume."""
    return min(MOST_WORKERS, os.cpu_count() or 1)


def _not_following(findings: list[Finding], before: list[Finding]) -> list[Finding]:
    """Without what only follows from another fault, which is mended first.

    Without its table every image lacks its caption, and parts that a table makes are empty; a case that the
    index has twice, or that a caption names in a part where it is not, stands twice in the split.
    """
    left = findings
    if any(finding.kind == "caption_table" for finding in before):
        left = [finding for finding in left if finding.kind not in ("caption_missing", "split")]
    if any(finding.kind in ("case_twice", "caption_without_image") and finding.case_id for finding in left):
        left = [finding for finding in left if finding.kind != "case_twice" or finding.case_id]
    return left


def _examined(
    data: SegDataModule,
    cases: list[Case],
    progress: Callable[[Iterable[Case]], Iterable[Case]],
    workers: int,
    tolerance: float,
) -> Iterator[Seen]:
    """Each case in order. Threads are enough: unpacking a NIfTI or a PNG lets the others run."""
    look = partial(examine, data=data, tolerance=tolerance)
    if workers == 1:
        yield from map(look, progress(cases))
        return
    data.reader, data.labels  # noqa: B018  (made once, before threads ask for them)
    pool = ThreadPoolExecutor(workers)
    try:
        results = pool.map(look, cases)
        for _ in progress(cases):
            yield next(results)
    finally:
        pool.shutdown(cancel_futures=True)
