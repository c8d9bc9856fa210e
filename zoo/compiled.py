"""Compiles functions with numba and keeps the machine code on disk for the next process."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar

from zoo.settings import cache_root

F = TypeVar("F", bound=Callable[..., Any])

log = logging.getLogger(__name__)


@cache
def has_numba() -> bool:
    """Return whether numba can compile here; where it cannot, log once that slower code computes the same results."""
    try:
        import numba
    except ImportError as error:  # also raised where numba refuses the version of numpy
        problem = f"numba cannot be imported ({error})"
    else:
        if not numba.config.DISABLE_JIT:
            return True
        problem = "NUMBA_DISABLE_JIT is set"
    log.warning("%s: slower code computes the same results.", problem)
    return False


def compile_part(function: F) -> F:
    """Return a function that is compiled into each compiled function that calls it: a call for each row takes time."""
    import numba

    return numba.njit(forceinline=True)(function)  # type: ignore[no-any-return]


def compile_function(function: F) -> F:
    """Return a function that compiles itself at its first call, and releases the GIL.

    numba stores the machine code beside the source, or in the user's cache where the package is read-only. Where
    neither can be written, it is stored under `ZOO_CACHE`; without any of them each process compiles again.
    """
    import numba

    try:
        return numba.njit(nogil=True, cache=True)(function)  # type: ignore[no-any-return]
    except RuntimeError:  # numba found no folder that it can write
        before, numba.config.CACHE_DIR = numba.config.CACHE_DIR, str(cache_root() / "numba")
    try:
        return numba.njit(nogil=True, cache=True)(function)  # type: ignore[no-any-return]
    except RuntimeError:
        log.info("%s is compiled by each process: no cache can be written. Set ZOO_CACHE.", function.__name__)
        return numba.njit(nogil=True)(function)  # type: ignore[no-any-return]
    finally:
        numba.config.CACHE_DIR = before
