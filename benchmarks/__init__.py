"""Benchmarks of models on data sets: `zoo bench` runs them, and this package reads what they have stored.

Example:
    >>> from benchmarks import Benchmark, make_leaderboard, rows_as_dicts
    >>> leaderboard = make_leaderboard(Benchmark(results=()))  # or read_benchmark(folder) instead of Benchmark(...)
    >>> rows_as_dicts(leaderboard)
    []
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zoo.utils.lazy import lazy_exports

if TYPE_CHECKING:
    from benchmarks.leaderboard.leaderboard import Leaderboard as Leaderboard
    from benchmarks.leaderboard.leaderboard import RankingGroup as RankingGroup
    from benchmarks.leaderboard.leaderboard import make_leaderboard as make_leaderboard
    from benchmarks.leaderboard.ranking import RankedRow as RankedRow
    from benchmarks.leaderboard.row import ClassRow as ClassRow
    from benchmarks.leaderboard.row import LeaderboardRow as LeaderboardRow
    from benchmarks.storage.results import Benchmark as Benchmark
    from benchmarks.storage.results import JobResult as JobResult
    from benchmarks.storage.results import TestScores as TestScores
    from benchmarks.storage.results import read_benchmark as read_benchmark
    from benchmarks.tables.columns import class_rows_as_dicts as class_rows_as_dicts
    from benchmarks.tables.columns import rows_as_dicts as rows_as_dicts

__all__ = [
    "Benchmark",
    "ClassRow",
    "JobResult",
    "Leaderboard",
    "LeaderboardRow",
    "RankedRow",
    "RankingGroup",
    "TestScores",
    "class_rows_as_dicts",
    "make_leaderboard",
    "read_benchmark",
    "rows_as_dicts",
]

__getattr__, __dir__ = lazy_exports(
    __name__,
    {
        "Benchmark": "benchmarks.storage.results",
        "JobResult": "benchmarks.storage.results",
        "TestScores": "benchmarks.storage.results",
        "read_benchmark": "benchmarks.storage.results",
        "ClassRow": "benchmarks.leaderboard.row",
        "LeaderboardRow": "benchmarks.leaderboard.row",
        "Leaderboard": "benchmarks.leaderboard.leaderboard",
        "RankingGroup": "benchmarks.leaderboard.leaderboard",
        "make_leaderboard": "benchmarks.leaderboard.leaderboard",
        "RankedRow": "benchmarks.leaderboard.ranking",
        "class_rows_as_dicts": "benchmarks.tables.columns",
        "rows_as_dicts": "benchmarks.tables.columns",
    },
)
