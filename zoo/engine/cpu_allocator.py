"""Large blocks that are freed stay with the process, for training on a CPU."""

from __future__ import annotations

import ctypes
import sys

_TRIM_THRESHOLD, _MMAP_MAX = -1, -4  # glibc's <malloc.h>


def keep_freed_memory() -> None:
    """Have glibc reuse freed activations instead of giving each back to the system.

    A step of a network frees and asks for the same blocks again and again; by default each large one
    is a mapping of its own, whose pages the system hands out anew and empty. That was a third of a
    small U-Net's step. The process keeps its peak memory until it ends. Elsewhere than on glibc: nothing.
    """
    if sys.platform != "linux":
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_MMAP_MAX, 0)
        mallopt(_TRIM_THRESHOLD, -1)
