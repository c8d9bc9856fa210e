"""Results of jobs that are comparable with each other, for tests of tables."""

from __future__ import annotations

from typing import Any

from benchmarks.leaderboard.leaderboard import RankingGroup
from benchmarks.storage.results import Control, JobResult
from tests.helpers.sample_benchmark import job, leaderboard_of, result

TEN = [0.5, 0.6, 0.7, 0.8, 0.9, 0.55, 0.65, 0.75, 0.85, 0.95]


FACTS: dict[str, Any] = {
    "label_space_hash": "labels",
    "tolerance": 2.0,
    "subjects": {f"c{i}": f"p{i}" for i in range(10)},
}


def one(*results: JobResult, controls: tuple[Control, ...] = ()) -> RankingGroup:
    (group,) = leaderboard_of(results, controls).groups
    return group


def full(model: str, seed: int = 0, dices: list[float] = TEN, about: dict[str, Any] = FACTS, **facts: Any) -> JobResult:
    track = facts.pop("track", "none")
    return result(job(model, seed, track), *[dices] * 4, about=about, **facts)
