"""Work spread over threads, its results in order. numpy, torch and zlib let go of the GIL where time is spent."""

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
    """`map`, computed ahead of its reader.

    An error of the function comes out where its result would have; nothing after it is begun. When the
    iterator ends, is closed or is dropped, no thread is left.

    Args:
        function: Called with each thing, in the threads.
        things: Gone through in the reader's thread, only as far as is needed.
        threads: How many; with 0 it is `map` itself.
        ahead: Results under way or waiting, beside the one asked for; default one a thread.
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
