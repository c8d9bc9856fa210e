"""A plan of three jobs."""

from __future__ import annotations

from benchmarks.plan.job import Job, Plan, Settings


def three_jobs() -> Plan:
    settings = Settings(size="tiny", trainer="cpu")
    text = Job("bipvl", "hippocampus", 0, settings=settings, track="class", encoder="tiny", texts=("true", "shuffled"))
    return Plan((text, *(Job("unet", "hippocampus", seed, settings=settings) for seed in (0, 1))))
