"""Dice by the size of the object: its mean over the smallest, middle and largest third of the cases of a class.

The size of an object is its number of voxels in the reference, tp + fn, which each score row has. So all models that
are tested on the same labels have the same thresholds.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from zoo.metrics.case_scores import CaseScore


class SizeDice(NamedTuple):
    """The mean Dice of each tercile; None for a tercile without a case.

    Attributes:
        small: Of the objects up to the first threshold.
        medium: Of the objects between the thresholds.
        large: Of the objects above the second threshold.
    """

    small: float | None = None
    medium: float | None = None
    large: float | None = None


def size_thresholds(sizes: Sequence[int]) -> tuple[int, int] | None:
    """Return the largest size of a small and of a medium object; None for fewer than three objects.

    With n objects, they are the sizes at the ranks ceil(n / 3) and ceil(2 n / 3). Objects of equal size are in one
    tercile, the lower one.

    Args:
        sizes: The sizes of all objects of a class, above 0, in any order.

    Example:
        >>> size_thresholds([10, 50, 20, 40, 30, 60])
        (20, 40)
    """
    ordered = sorted(sizes)
    if len(ordered) < 3:
        return None
    return ordered[math.ceil(len(ordered) / 3) - 1], ordered[math.ceil(2 * len(ordered) / 3) - 1]


def dice_by_size(rows: Iterable[CaseScore]) -> tuple[SizeDice, Mapping[str, SizeDice]]:
    """Compute the mean Dice of each tercile: over the cases of a class, then over the classes.

    A case whose reference is empty has no size and is left out, also where the prediction is not empty. A class with
    fewer than three other cases has no terciles, and a mean over classes leaves it out.

    Args:
        rows: The rows of one test.

    Returns:
        The means over the classes, and the values of each class by its name.

    Example:
        >>> metrics = {"hd95": 2.0, "hd95_pooled": 2.0, "nsd": 0.5, "assd": 1.0}
        >>> counts = [(1, 1, 1, 0.5), (4, 2, 2, 2 / 3), (9, 3, 3, 0.75)]
        >>> rows = [
        ...     CaseScore(case_id=f"c{tp}", label="x", tp=tp, fp=fp, fn=fn, dice=d, unit="mm", status="ok", **metrics)
        ...     for tp, fp, fn, d in counts
        ... ]
        >>> dice_by_size(rows)[0].large
        0.75
    """
    by_class: dict[str, list[CaseScore]] = {}
    for row in sorted(rows, key=lambda row: (row.index, row.label)):
        by_class.setdefault(row.label, []).append(row)
    per_class = {label: _of_class([row for row in members if row.tp + row.fn]) for label, members in by_class.items()}
    return SizeDice(*(_mean(values) for values in zip(*per_class.values(), strict=True))), per_class


def _of_class(rows: Sequence[CaseScore]) -> SizeDice:
    thresholds = size_thresholds([row.tp + row.fn for row in rows])
    if thresholds is None:
        return SizeDice()
    terciles: tuple[list[float], list[float], list[float]] = ([], [], [])
    for row in rows:
        terciles[sum(row.tp + row.fn > threshold for threshold in thresholds)].append(row.dice)
    return SizeDice(*map(_mean, terciles))


def _mean(values: Iterable[float | None]) -> float | None:
    there = [value for value in values if value is not None]
    return math.fsum(there) / len(there) if there else None
