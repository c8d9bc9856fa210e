"""The folds of a plan: whether each exists, and whether a data set is tested over all of them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from benchmarks.plan.job import Job
from datamodules.index.cases import FOLDS
from datamodules.index.split_files import read_split_file
from zoo.errors import ConfigError
from zoo.registry import DATA
from zoo.utils.config_values import plain_key


def check_folds(jobs: Iterable[Job]) -> None:
    """Check that each fold exists, before a job is stored.

    Raises:
        ConfigError: A fold is not one of its k folds, or a split file cannot be read.
    """
    for (data, folds), chosen in _chosen_folds(jobs).items():
        wrong = sorted(fold for fold in chosen if fold >= folds)
        if wrong:
            raise ConfigError(
                f"{data}: fold {', '.join(map(str, wrong))} of {folds} does not exist.",
                f"Write folds from 0 to {folds - 1}, or `folds: K` for all of K folds.",
            )


def describe_parts(jobs: Iterable[Job]) -> list[str]:
    """Describe each data set that is tested over some of its folds only: its rows have scores and no rank."""
    return [
        f"{data}: folds {', '.join(map(str, sorted(chosen)))} of {folds} (counted from 0): "
        f"rows over a part of the folds have scores and are not ranked; `folds: {folds}` tests all folds"
        for (data, folds), chosen in _chosen_folds(jobs).items()
        if len(chosen) < folds
    ]


def _chosen_folds(jobs: Iterable[Job]) -> dict[tuple[str, int], set[int]]:
    """Return (data set, number of its folds) to the chosen folds; data sets of other packages count theirs."""
    chosen: dict[tuple[str, int], set[int]] = {}
    for job in jobs:
        if job.fold is not None and DATA.get(job.data).origin == "zoo":
            chosen.setdefault((job.shown_data, _count_folds(job)), set()).add(job.fold)
    return chosen


def _count_folds(job: Job) -> int:
    given = {plain_key(key): value for key, value in (*job.settings.overrides, *job.overrides)}
    if "data.split" not in given:
        return job.folds or FOLDS
    return read_split_file(Path(given["data.split"])).folds or FOLDS
