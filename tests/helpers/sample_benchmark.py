"""Rows, jobs and results of made-up benchmarks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from benchmarks.leaderboard.leaderboard import Leaderboard, make_leaderboard
from benchmarks.leaderboard.statistics import Test
from benchmarks.plan.expand import DataEntry, Matrix, make_plan, set_root
from benchmarks.plan.job import Job, Plan, Settings
from benchmarks.storage.results import Benchmark, Control, JobResult, TestScores
from tests.helpers.sample_rows import row

FACTS: dict[str, Any] = {
    "split_hash": "abc",
    "prompt_hash": "def",
    "metric_version": "1",
    "budget": {"samples": 100, "batch_size": 4},
    "params": 1_250_000,
    "params_trainable": 1_000_000,
    "finished": "2025-01-01",
}


def job(model: str = "unet", seed: int = 0, track: str = "none", **changes: Any) -> Job:
    encoder = "" if track == "none" else "minilm"
    settings = changes.pop("settings", None) or Settings(size=changes.pop("size", "tiny"), trainer="cpu")
    facts: dict[str, Any] = {"data": "hippocampus", "encoder": encoder, **changes}
    return Job(model=model, seed=seed, track=track, settings=settings, **facts)


def plan_of(
    models: Sequence[str],
    data: Sequence[str],
    seeds: Sequence[int],
    *,
    settings: Settings,
    root: str = "",
    encoder: str = "",
    variants: Sequence[str] | None = None,
) -> Plan:
    """Return the plan of a matrix, as flags give it."""
    matrix = Matrix(models, dict.fromkeys(data, DataEntry()), seeds, settings, encoder, variants)
    return make_plan(set_root(matrix, root) if root else matrix)


def names(plan: Plan) -> list[str]:
    """Return the names of the jobs, without the hashes of their configurations."""
    return [one.name for one in plan.jobs]


def variant(name: str, seed: int = 0, **changes: Any) -> Job:
    """Return a job of a variant of bipvl, which reads text."""
    facts = {"about": f"without {name[3:]}", "changes": (("use_text", "false"),), **changes}
    return job("bipvl", seed, "class", variant=name, **facts)


def result(one: Job, *dices: Sequence[float], about: Mapping[str, Any] | None = None, **facts: Any) -> JobResult:
    """Return the result of a finished job, with one Dice value per case for each of its tests.

    Args:
        one: The job.
        dices: Values of `test`, `test-shuffled`, ...
        about: Content of `about.json`; None as in a folder of an older version.
        facts: Values of the manifest that differ from `FACTS`.
    """
    tests = {
        step: TestScores(tuple(row(f"c{i}", "x", dice) for i, dice in enumerate(values)), about or {})
        for step, values in zip(one.steps[1:], dices, strict=False)
    }
    return JobResult(
        one, "done", manifest=FACTS | {"text_track": one.track, "encoder": one.encoder} | facts, tests=tests
    )


def leaderboard_of(
    results: Iterable[JobResult], controls: Iterable[Control] = (), test: Test | None = "wilcoxon"
) -> Leaderboard:
    """Return the leaderboard of results that are in no folder."""
    return make_leaderboard(Benchmark(tuple(results), tuple(controls)), test)
