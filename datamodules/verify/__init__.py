"""Every fault of a data set in one pass: files, grids, labels, captions, duplicates, subjects.

What trains asks `index_findings` alone, which opens no file; what reads files is imported when it is called.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from datamodules.index.checks import index_findings
from datamodules.index.findings import KINDS, Finding, Report
from zoo.io.same_grid import TOLERANCE

if TYPE_CHECKING:
    from datamodules.bases.base import SegDataModule
    from zoo.types import Case

__all__ = ["KINDS", "Finding", "Report", "index_findings", "inspect", "verify"]


def verify(data: SegDataModule) -> list[Finding]:
    """All findings of a set; see `inspect`."""
    return list(inspect(data).findings)


def inspect(
    data: SegDataModule,
    progress: Callable[[Iterable[Case]], Iterable[Case]] = iter,
    workers: int | None = None,
    tolerance: float = TOLERANCE,
) -> Report:
    """Read every file of a set and list what is wrong with it. Nothing is prepared or written.

    Args:
        data: The set.
        progress: Wraps the cases while their files are read.
        workers: Threads that read, each one case at a time; default one a processor, at most 8. They change
            no finding and no order.
        tolerance: How far the corners of two files of a case may lie apart, in voxels.

    Raises:
        DataError: The set's layout is not the documented one, so that there is no index.
    """
    from datamodules.verify.inspection import inspect_set

    return inspect_set(data, progress, workers, tolerance)
