"""Runs a function in threads and returns its results in order. numpy, torch and zlib release the GIL."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def map_in_order(
    function: Callable[[T], R], things: Iterable[T], threads: int, ahead: int | None = None
) -> Iterator[R]:
    """Return the results of `map(function, things)`, computed ahead in threads.

    An error of the function is raised in place of its result, and no later call begins. No thread remains when the
    iterator ends, is closed or is deleted.

    Args:
        function: The function; the threads call it with each thing.
        things: The arguments; the caller's thread iterates over them, and only as far as necessary.
        threads: Number of threads; 0 means `map` itself.
        ahead: Number of results that are computed before they are asked for; by default one per thread.

    Example:
        >>> list(map_in_order(len, ["a", "bc"], threads=2))
        [1, 2]
    """
    if not threads:
        yield from map(function, things)
        return
    pool = ThreadPoolExecutor(threads)
    due: deque[Future[R]] = deque()
    try:
        for thing in things:
            due.append(pool.submit(function, thing))
            if len(due) > (threads if ahead is None else ahead):
                yield due.popleft().result()
        while due:
            yield due.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
