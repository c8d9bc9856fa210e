"""Find every fault of a data set in one pass: files, grids, labels, captions, duplicates, subjects.

Training only calls `index_findings`, which opens no file. Code that reads files is imported when it is called.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from datamodules.index.checks import index_findings
from datamodules.index.findings import KINDS, Finding, Report
from zoo.io.same_grid import TOLERANCE

if TYPE_CHECKING:
    from datamodules.bases.base import SegDataModule
    from zoo.types import Case

__all__ = ["KINDS", "Finding", "Report", "index_findings", "inspect", "verify"]


def verify(data: SegDataModule) -> list[Finding]:
    """List all findings of a data set; see `inspect`."""
    return list(inspect(data).findings)


def inspect(
    data: SegDataModule,
    progress: Callable[[Iterable[Case]], Iterable[Case]] = iter,
    workers: int | None = None,
    tolerance: float = TOLERANCE,
    others: Sequence[SegDataModule] = (),
) -> Report:
    """Read every file of a data set and list its faults. Nothing is prepared or written.

    Args:
        data: The data set.
        progress: Wraps the cases while their files are read, for a progress bar.
        workers: Number of threads; each reads one case at a time. Default: one per processor, at most 8. The number
            changes neither the findings nor their order.
        tolerance: Largest distance between corresponding corners of two files of a case, in voxels.
        others: Data sets whose images are compared with those of `data`.

    Raises:
        DataError: The layout of the folder is not the documented one, so that there is no index.
    """
    from datamodules.verify.inspection import inspect_data_set

    return inspect_data_set(data, progress, workers, tolerance, others)
