"""Keeps what consecutive cases share: an image is read and prepared once for all its queries."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock, get_ident
from threading import enumerate as enumerate_threads
from typing import Generic, TypeVar

T = TypeVar("T")

KEPT = 2
"""Number of things that are kept. Further threads each keep the last thing that they used."""


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
        self._making: dict[Hashable, Lock] = {}
        self._users: dict[int, Hashable] = {}

    def __reduce__(self) -> tuple[type[LastUsed[T]], tuple[()]]:
        """Give another process an empty one: a lock cannot be sent, and the images are large."""
        return type(self), ()

    def get(self, name: Hashable, make: Callable[[], T]) -> T:
        """Return the thing of a name; it is made unless it is one of the last, or the last of another thread.

        Args:
            name: The name.
            make: Makes the thing. Threads that need the same thing wait for it; others make theirs at the same time.
        """
        with self._lock:
            making = self._making.setdefault(name, Lock())
        with making:
            with self._lock:
                if name in self._found:
                    self._users[get_ident()] = name
                    return self._found[name]
            made = make()
            with self._lock:
                self._found[name], self._users[get_ident()] = made, name
                self._forget()
                return made

    def _forget(self) -> None:
        """Forget the oldest things that no running thread has used last."""
        running = {thread.ident for thread in enumerate_threads()}
        self._users = {ident: name for ident, name in self._users.items() if ident in running}
        used = set(self._users.values())
        spare = [name for name in self._found if name not in used]
        for name in spare[: max(0, len(self._found) - KEPT)]:
            del self._found[name]
            self._making.pop(name, None)

    def clear(self) -> None:
        """Forget everything, so that it needs no memory after all cases are prepared."""
        with self._lock:
            self._found.clear()
            self._making.clear()
            self._users.clear()
