"""Prepared images that several queries share: an image is read and prepared once for all its queries."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from threading import Lock

from zoo.preprocessing.apply import PreparedCase

KEPT = 2
"""Number of images that are kept: threads that work on consecutive cases are at most at two images."""


class QueryImages:
    """The last prepared images, by the name of the image. The queries of an image follow each other.

    Example:
        >>> import numpy as np
        >>> from zoo.preprocessing.apply import preprocess
        >>> from zoo.preprocessing.spec import PreprocessingSpec
        >>> from zoo.types import Geometry
        >>> def make():
        ...     print("prepared")
        ...     geometry = Geometry(None, (4, 4), ((0, 4), (0, 4)), (1.0, 1.0), "px")
        ...     return preprocess(np.ones((1, 4, 4), np.float32), None, geometry, PreprocessingSpec())
        >>> images = QueryImages()
        >>> images.get("scan7", make) is images.get("scan7", make)
        prepared
        True
    """

    def __init__(self) -> None:
        self._images: OrderedDict[str, PreparedCase] = OrderedDict()
        self._lock = Lock()

    def get(self, case_id: str, make: Callable[[], PreparedCase]) -> PreparedCase:
        """Return the prepared image; it is made unless it is one of the last `KEPT`.

        Args:
            case_id: Name of the image.
            make: Reads and prepares the image, without a label.
        """
        with self._lock:  # a second thread waits for the image, and does not read it again
            if case_id not in self._images:
                self._images[case_id] = make()
                while len(self._images) > KEPT:
                    self._images.popitem(last=False)
            return self._images[case_id]

    def clear(self) -> None:
        """Forget the images, so that they need no memory after all cases are prepared."""
        with self._lock:
            self._images.clear()
