"""Keeps freed memory in the process, for training on a CPU."""

from __future__ import annotations

import ctypes
import sys

_TRIM_THRESHOLD, _MMAP_MAX = -1, -4  # glibc's <malloc.h>


def keep_freed_memory() -> None:
    """Make glibc reuse freed activations; it would return each of them to the system.

    Every step of a network frees and allocates the same blocks. By default, glibc maps each large block anew, and the
    system fills its pages with zeros. That took a third of the time of a small U-Net's step. The process now keeps its
    peak memory until it ends. Without glibc, this function does nothing.
    """
    if sys.platform != "linux":
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_MMAP_MAX, 0)
        mallopt(_TRIM_THRESHOLD, -1)
