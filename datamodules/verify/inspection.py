"""Inspect a data set: its index, its split, every file, and duplicates among the images."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property, partial
from itertools import chain, groupby
from typing import TYPE_CHECKING

from datamodules.files.caption_tables import caption_faults
from datamodules.index.checks import ABSENT_CASES_FIX, index_findings
from datamodules.index.findings import Finding, Report, ordered
from datamodules.index.splits import SPLITS
from datamodules.verify.duplicates import ImageSignature, report_duplicates
from datamodules.verify.files import CaseInspection, inspect_image
from datamodules.verify.shared_cases import find_shared_cases
from datamodules.verify.split_check import inspect_split
from zoo.text.rewrites import REWRITES
from zoo.types import Case

if TYPE_CHECKING:
    from datamodules.bases.base import SegDataModule

MOST_WORKERS = 8


def inspect_data_set(
    data: SegDataModule,
    progress: Callable[[Iterable[Case]], Iterable[Case]],
    workers: int | None,
    tolerance: float,
    others: Sequence[SegDataModule] = (),
) -> Report:
    """Find all faults of a data set; see `datamodules.verify.inspect`."""
    data = copy.copy(data)  # the lenient index stays in this copy and is never trained on
    cached = [name for name in vars(data) if isinstance(getattr(type(data), name, None), cached_property)]
    for name in set(cached) - {"reader"}:
        del data.__dict__[name]  # lists that were read before would hide their faults
    with caption_faults() as faults:
        unlabelled = data.list_unlabelled()
        cases = [] if unlabelled and _is_for_prediction(data) else data.list_cases()
        for control in REWRITES:
            data.written_texts(control)
    findings = [Finding.of(fault) for fault in faults]
    index = data.make_index()
    if data.card.has_reports:
        absent = ""  # each caption without an image is a finding of its own
    else:
        cases, absent = index.existing_cases(cases)
    if absent:
        findings.append(Finding("", str(data.folder), "missing_file", f"{data.folder}: {absent}", ABSENT_CASES_FIX))
    every = [*cases, *unlabelled]
    of_index = index_findings(every, data.card.has_reports)
    of_split, split = inspect_split(data, index, cases) if cases else ([], None)
    parts = {case_id: part for part in SPLITS for case_id in split.ids_of(part)} if split else {}
    findings += _drop_consequences(of_index + of_split, findings)
    files, classes = 0, []
    signatures: dict[str, ImageSignature] = {}
    inspected = _inspect_cases(data, every, progress, workers or default_workers(), tolerance)
    for number, case in enumerate(inspected):
        findings += case.findings
        files += case.files
        # further queries of an image are no duplicates, nor is a case that is only predicted
        if case.signature is not None and number < len(cases):
            signatures.setdefault(case.signature.case_id, case.signature)
        if case.classes is not None:
            classes.append(case.classes)
    findings += _absent_classes(data, classes)
    duplicates = report_duplicates(list(signatures.values()), parts)
    findings += [finding for finding in duplicates if finding.kind != "near_duplicate" or not data.card.video]
    own, count = list(signatures.values()), workers or default_workers()
    shared = tuple(find_shared_cases(data, own, other, progress, count) for other in others)
    findings += [finding for one in shared if not one.declared for finding in one.findings]
    unique = list(dict.fromkeys(findings))
    known = set(data.card.known.items())
    listed = ordered(unique, [case.case_id for case in every])
    return Report(
        data.name,
        split.protocol if split else data.protocol,
        len(every),
        files,
        tuple(finding for finding in listed if (finding.case_id, finding.kind) not in known),
        tuple(finding for finding in listed if (finding.case_id, finding.kind) in known),
        shared,
    )


def _is_for_prediction(data: SegDataModule) -> bool:
    """Return whether a folder of a user's own has no labelled case: it can be predicted and not trained on."""
    from datamodules.bases.own_data import OwnDataModule  # loads torch, which importing this package must not do

    return isinstance(data, OwnDataModule) and not data.list_labelled()


def _absent_classes(data: SegDataModule, classes: list[frozenset[int]]) -> list[Finding]:
    """One finding per class that none of the labels holds and that the card does not call absent.

    No finding where no label was read.
    """
    declared = {name for names in data.card.absent.values() for name in names}
    absent = set(range(len(data.labels.names))).difference(*classes) if classes else set()
    fix = "Give the class its values in the labels, or leave the class out."
    return [
        Finding(
            "",
            str(data.folder),
            "class_absent",
            f"{data.folder}: class '{data.labels.names[number]}' (values {list(data.labels.values[number])}) is in "
            f"none of {len(classes)} labels.",
            fix,
        )
        for number in sorted(absent)
        if data.labels.names[number] not in declared
    ]


def default_workers() -> int:
    """Return the number of processors, at most `MOST_WORKERS`, because each thread holds a volume in memory."""
    return min(MOST_WORKERS, os.cpu_count() or 1)


def _drop_consequences(findings: list[Finding], before: list[Finding]) -> list[Finding]:
    """Drop findings that only follow from another fault, which must be corrected first.

    Without its caption table, every image lacks a caption, and splits that the table defines are empty. A case that
    the index lists twice, or that a caption names in a wrong split, is in the split twice.
    """
    left = findings
    if any(finding.kind == "caption_table" for finding in before):
        left = [finding for finding in left if finding.kind not in ("caption_missing", "split")]
    if any(finding.kind in ("case_twice", "caption_without_image") and finding.case_id for finding in left):
        left = [finding for finding in left if finding.kind != "case_twice" or finding.case_id]
    return left


def _inspect_cases(
    data: SegDataModule,
    cases: list[Case],
    progress: Callable[[Iterable[Case]], Iterable[Case]],
    workers: int,
    tolerance: float,
) -> Iterator[CaseInspection]:
    """Inspect the cases in their order, in threads: decompression releases the interpreter lock.

    A thread inspects an image with all its queries, which follow each other in the index.
    """
    images = [list(queries) for _, queries in groupby(cases, lambda case: case.case_id)]
    inspect = partial(inspect_image, data=data, tolerance=tolerance)
    if workers == 1:
        results = chain.from_iterable(map(inspect, images))
        yield from (next(results) for _ in progress(cases))
        return
    data.reader, data.labels  # noqa: B018  (made once, before the threads use them)
    pool = ThreadPoolExecutor(workers)
    try:
        results = chain.from_iterable(pool.map(inspect, images))
        for _ in progress(cases):
            yield next(results)
    finally:
        pool.shutdown(cancel_futures=True)
