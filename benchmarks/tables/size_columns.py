"""The columns of the Dice by the size of the object, which rows and their classes have."""

from __future__ import annotations

from operator import attrgetter
from typing import Any

from benchmarks.leaderboard.leaderboard import RankingGroup
from benchmarks.tables.column import Column

_THIRDS = {
    "small": "mean of `dice` over the third of the cases with the smallest objects, per class",
    "medium": "mean of `dice` over the middle third of the cases by the size of the object, per class",
    "large": "mean of `dice` over the third of the cases with the largest objects, per class",
}


def _has_sizes(group: RankingGroup) -> bool:
    """Whether some class has three objects or more."""
    return any(getattr(row, f"dice_{key}") is not None for row in group.rows for key in _THIRDS)


SIZE_COLUMNS: tuple[Column[Any], ...] = tuple(
    Column(
        key=f"dice_{key}",
        title=f"Dice {key}",
        note=note,
        digits=3,
        better="higher",
        get=attrgetter(f"dice_{key}"),
        when=_has_sizes,
    )
    for key, note in _THIRDS.items()
)
"""Dice of the size terciles (`zoo.metrics.size_terciles`). The report has a table of them, because the leaderboard must
fit a page."""
