"""The limit of open files of a process. No torch here."""

from __future__ import annotations

import errno

OTHERS = 48
"""Files that a training has open beside its data: libraries, logs, devices."""


def lacks_open_files(error: BaseException) -> bool:
    """Return whether an error says that the process, or the system, has too many open files.

    No file is at fault then, although the error names one.
    """
    return isinstance(error, OSError) and error.errno in (errno.EMFILE, errno.ENFILE)


def files_to_keep_open(most: int, fewest: int = 4) -> int:
    """Return how many files a cache may keep open: half of those that the limit of the process leaves.

    Args:
        most: The number without a limit.
        fewest: The number under the lowest limit.

    Example:
        >>> files_to_keep_open(3)
        3
    """
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return most
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return most if soft == resource.RLIM_INFINITY else min(most, max(fewest, (soft - OTHERS) // 2))
