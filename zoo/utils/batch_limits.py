"""Lightning's rule for `limit_train_batches` and the other limits of batches. No torch here."""

from __future__ import annotations


def limit_batches(batches: int, limit: int | float) -> int:
    """Return the number of batches that a trainer uses: a whole number counts batches, a fraction is a share.

    Example:
        >>> limit_batches(8, 2), limit_batches(8, 0.5), limit_batches(8, 1.0)
        (2, 4, 8)
    """
    return min(batches, limit) if isinstance(limit, int) else int(batches * limit)
