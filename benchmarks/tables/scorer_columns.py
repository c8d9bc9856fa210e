"""The columns of the means by the scorers of challenges, where the tests of a group were scored by them."""

from __future__ import annotations

from typing import Any

from benchmarks.leaderboard.leaderboard import RankingGroup
from benchmarks.leaderboard.row import LeaderboardRow
from benchmarks.tables.column import Column
from zoo.metrics.scorer_means import SCORER_MEANS, ScorerMean


def _make_column(mean: ScorerMean) -> Column[Any]:
    def get(row: LeaderboardRow) -> float | None:
        return row.scorers.get(mean.key)

    def has_values(group: RankingGroup) -> bool:
        return any(get(row) is not None for row in group.rows if not row.control)  # controls always have them

    return Column(
        key=mean.key,
        title=mean.title,
        note=f"{mean.doc}, by the scorer `{mean.convention}`",
        digits=3,
        better="higher",
        get=get,
        shown="table" if mean.shown else "file",
        when=has_values,
    )


SCORER_COLUMNS = tuple(map(_make_column, SCORER_MEANS))
"""One column per mean of `zoo.metrics.scorer_means`."""
