"""Keeps what consecutive cases share: an image is read and prepared once for all its queries."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock
from typing import Generic, TypeVar

T = TypeVar("T")

KEPT = 2
"""Number of things that are kept: threads that work on consecutive cases are at most at two images."""


class LastUsed(Generic[T]):
    """The last things that were made, by name. The queries of an image follow each other.

    Example:
        >>> def read():
        ...     print("read")
        ...     return "the image"
        >>> images = LastUsed()
        >>> images.get("scan7", read), images.get("scan7", read)
        read
        ('the image', 'the image')
    """

    def __init__(self) -> None:
        self._found: OrderedDict[Hashable, T] = OrderedDict()
        self._lock = Lock()

    def __reduce__(self) -> tuple[type[LastUsed[T]], tuple[()]]:
        """Give another process an empty one: a lock cannot be sent, and the images are large."""
        return type(self), ()

    def get(self, name: Hashable, make: Callable[[], T]) -> T:
        """Return the thing of a name; it is made unless it is one of the last `KEPT`.

        Args:
            name: The name.
            make: Makes the thing.
        """
        with self._lock:  # a second thread waits for the thing, and does not make it again
            if name not in self._found:
                self._found[name] = make()
                while len(self._found) > KEPT:
                    self._found.popitem(last=False)
            return self._found[name]

    def clear(self) -> None:
        """Forget everything, so that it needs no memory after all cases are prepared."""
        with self._lock:
            self._found.clear()
