"""Faults in the split of a data set."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from datamodules.index.cases import CaseIndex
from datamodules.index.findings import Finding
from datamodules.index.splits import Split
from zoo.errors import DataError
from zoo.types import Case

if TYPE_CHECKING:
    from datamodules.bases.base import SegDataModule


def inspect_split(data: SegDataModule, index: CaseIndex, cases: Sequence[Case]) -> tuple[list[Finding], Split | None]:
    """Find the faults in the split of the data set's protocol.

    Args:
        data: The data set.
        index: The index of the data set.
        cases: All its cases, also those with faults.

    Returns:
        The findings and the split. The findings are subjects in two of train, val and test, unless the card declares
        them. The split is None where it cannot be made.
    """
    try:
        split = index.split_of(cases, data.fold, data.folds)
    except DataError as error:
        problem = f"{data.folder}: {error.problem}"
        return [Finding("", str(data.folder), error.kind, problem, error.fix)], None
    findings = []
    if index.declares_leak:
        index.check_leaks(split, cases)
    else:
        for leak in split.leaks():
            fault = index.leak_error(split, leak, cases)
            findings.append(Finding.of(fault, list(leak.places.values())[-1][0]))
    return findings, split
