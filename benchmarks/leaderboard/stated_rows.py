"""Rows of methods outside the zoo: scored like every row, never ranked, and compared with each ranked row apart.

The zoo has not trained such a method, so nothing says that only the method differs. Its row shows what its authors
state.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from benchmarks.leaderboard import statistics
from benchmarks.leaderboard.aggregate import Owners, make_row
from benchmarks.leaderboard.comparability import list_differences
from benchmarks.leaderboard.ranking import RankedRow, difference_ends, subject_scores
from benchmarks.leaderboard.row import LeaderboardRow, unique_labels
from benchmarks.plan.job import Job, Settings
from benchmarks.storage.layout import TRUE_TEXT_STEP
from benchmarks.storage.results import JobResult, TestScores
from benchmarks.storage.scored import STATED, ScoredPart
from benchmarks.storage.stated import describe_stated

FOOTNOTE = (
    f"[{STATED}]: a method outside the zoo, scored by `zoo score` from its label images. Its training is what its "
    "authors state, so it is never ranked; --stats has its paired tests apart."
)

_CONDITIONS = ("split_hash", "metric_version", "n", "hd95_unit", "classes", "cases_hash")
"""Conditions in which a method outside the zoo must agree with a ranking: those of the test, and none of a training."""

_RECORDED = ("label_space", "tolerance", "label_hash", "spacing_hash", "data_hash")
"""Conditions of the test that must agree as far as they are recorded."""


def as_result(part: ScoredPart) -> JobResult:
    """Return a part as a job that is done, so that folds are pooled and rows are made as for any other job."""
    about, title = part.about, str(part.told["title"])
    job = Job(
        model=part.name,
        data=str(part.told["data"]),
        seed=0,
        track="",
        settings=Settings(recipe=STATED),
        fold=part.fold,
        folds=None if part.fold is None else int(about["folds"]),
        overrides=(("data.title", title),) if title else (),
        digest=part.folder.name,
    )
    manifest = {key: about.get(key) for key in ("split_hash", "data_hash", "metric_version", "leak_declared")}
    tests = {} if part.refusal else {TRUE_TEXT_STEP: TestScores(part.rows, about)}
    return JobResult(job, "done", manifest=manifest, tests=tests, folder=part.folder, refusal=part.refusal)


def make_stated_rows(parts: Sequence[ScoredPart], owners: Owners) -> list[LeaderboardRow]:
    """Make one row per method, data set and split; folds are pooled.

    Args:
        parts: The scores of all methods outside the zoo.
        owners: The subject of each case.
    """
    by_row: dict[tuple[Any, ...], list[ScoredPart]] = {}
    for part in parts:
        split = "" if part.fold is not None else str(part.about["split_hash"])
        by_row.setdefault((part.told["data"], part.told["title"], part.name, split), []).append(part)
    return [_make_row(by_row[key], owners) for key in sorted(by_row, key=str)]


def _make_row(parts: Sequence[ScoredPart], owners: Owners) -> LeaderboardRow:
    row = make_row([as_result(part) for part in parts], owners).with_mark(STATED)
    stated: Mapping[str, str] = parts[0].told.get("stated") or {}
    missing = sum(len(part.told.get("missing_as_empty") or ()) for part in parts)
    cases = f"{missing} of {row.n} cases have no file and count as empty" if missing else ""
    text = describe_stated(stated)
    about = f"stated: {text}" if text else "nothing is stated about its training"
    return replace(
        row,
        seeds=None,
        seeds_planned=None,
        tuning="",
        budget=f"stated: {stated['budget']}" if "budget" in stated else "",
        stated=text,
        reason="; ".join(filter(None, [row.reason, cases, about])),
    )


def check_stated(rows: Sequence[LeaderboardRow], ranked: Sequence[LeaderboardRow]) -> list[LeaderboardRow]:
    """Give complete rows the status `STATED`, or refuse those that are not comparable with the ranking.

    Args:
        rows: The rows of methods outside the zoo on one data set.
        ranked: The rows of the ranking, which agree with each other. Without any, the first row says what is compared.
    """
    complete = [row for row in rows if row.status == "ok"]
    models = [*ranked] or complete[:1]
    common: dict[str, Any] = {key: getattr(models[0], key) for key in _CONDITIONS} if models else {}
    common |= {key: max(getattr(row, key) for row in models) for key in _RECORDED} if models else {}
    checked = []
    for row in rows:
        reasons = list_differences(row, _CONDITIONS, _RECORDED, common) if row in complete else []
        reasons += ["no class in any case"] if row in complete and row.dice is None else []
        if reasons:
            reason = "; ".join([f"not comparable: {', '.join(reasons)}", row.reason])
            checked.append(replace(row, status="refused", reason=reason))
        else:
            checked.append(replace(row, status=STATED) if row in complete else row)
    return checked


def compare_stated(
    stated: Sequence[LeaderboardRow], ranked: Sequence[LeaderboardRow], test: statistics.Test = "wilcoxon"
) -> tuple[RankedRow, ...]:
    """Compare each ranked row with each method outside the zoo, and these methods with each other, paired by subject.

    The p values of all these tests are corrected together, apart from those of the ranking, which they do not change.

    Args:
        stated: The rows of methods outside the zoo, comparable and with their intervals.
        ranked: The rows of the ranking, best first.
        test: "wilcoxon" or "permutation".

    Returns:
        One entry per pair, without a rank. `against` is the method outside the zoo.
    """
    stated = [row for row in stated if row.status == STATED and row.sample]
    labels = unique_labels([*ranked, *stated])
    pairs = [(row, other) for place, other in enumerate(stated) for row in (*ranked, *stated[place + 1 :])]
    pairs = [(row, other) for row, other in pairs if row.sample and other.sample and _same_cases(row, other)]
    tests = [statistics.compare(subject_scores(row), subject_scores(other), test) for row, other in pairs]
    corrected = statistics.holm([one.p for one in tests])
    return tuple(
        _make_pair(row, other, labels, one, p_holm)
        for (row, other), one, p_holm in zip(pairs, tests, corrected, strict=True)
    )


def _same_cases(row: LeaderboardRow, other: LeaderboardRow) -> bool:
    return row.sample is not None and other.sample is not None and row.sample.cohort == other.sample.cohort


def _make_pair(
    row: LeaderboardRow,
    other: LeaderboardRow,
    labels: Mapping[LeaderboardRow, str],
    one: statistics.Comparison,
    p_holm: float | None,
) -> RankedRow:
    ends = difference_ends(row, other)
    return RankedRow(
        label=labels[row],
        rank=None,
        dice=row.dice,
        dice_low=row.dice_low,
        dice_high=row.dice_high,
        against=labels[other],
        delta=None if row.dice is None or other.dice is None else row.dice - other.dice,
        delta_low=ends["low"],
        delta_high=ends["high"],
        pairs=one.pairs,
        p=one.p,
        p_holm=p_holm,
        effect=one.effect,
        win_rate=_win_rate(row, other),
        mean_rank=None,
        rank_share=None,
    )


def _win_rate(row: LeaderboardRow, other: LeaderboardRow) -> float | None:
    rate = float(statistics.win_rates(np.stack([subject_scores(row), subject_scores(other)]))[0, 1])
    return None if math.isnan(rate) else rate
