"""Make the rows of a leaderboard from the results of jobs: means over the seeds, or the reason for their absence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from statistics import fmean, stdev
from typing import Any

from benchmarks.leaderboard.row import AVERAGED, EARLY, NO_VALUES, ClassRow, LeaderboardRow
from benchmarks.storage.layout import TRUE_TEXT_STEP
from benchmarks.storage.results import Control, JobResult, TestScores
from benchmarks.storage.sealed_tests import UNSEALED
from benchmarks.storage.seeds import (
    MACHINE,
    RECORDED,
    SeedResult,
    describe_tuning,
    group_by_seed,
    hash_labels,
    make_seed_result,
    pool_endings,
    seed_differences,
    variant_differences,
)
from zoo.errors import RunError
from zoo.metrics.case_scores import cases_hash
from zoo.metrics.definitions import METRIC_KEYS, MetricValues
from zoo.metrics.scorer_means import scorer_means
from zoo.metrics.size_terciles import SizeDice, dice_by_size
from zoo.metrics.summary import MeanScores, Summary
from zoo.text.controls import CONTROLS, SHUFFLED, TRUE

NO_QUERIES = "it reads no text, so it cannot tell the queries of an image apart"
"""Why a model without text is not ranked where an image has several queries."""

Owners = Mapping[tuple[str, str], str]
"""(data set, case) to the subject."""

TEXTS = {SHUFFLED: "text_gain"} | {text: f"text_gain_{text}" for text in CONTROLS if text not in (TRUE, SHUFFLED)}
"""Each text control, and the field for the Dice that the true text gains over it."""


def make_row(results: Sequence[JobResult], owners: Owners) -> LeaderboardRow:
    """Make the row of one model on one data set.

    Args:
        results: The results of all its seeds and folds.
        owners: The subject of each case.
    """
    seeds = group_by_seed(results)
    complete = [jobs for jobs in seeds.values() if all(job.state == "done" for job in jobs)]
    row = _row_without_scores(results, len(complete), len(seeds))
    missing = [job for jobs in seeds.values() for job in jobs if job.state != "done"]
    if missing:
        notes = "; ".join(f"{job.name} {job.state}" + (f" ({job.note})" if job.note else "") for job in missing)
        status = "failed" if any(job.state == "failed" for job in missing) else "incomplete"
        return replace(row, status=status, reason=f"{len(complete)} of {len(seeds)} seeds: {notes}")
    try:
        done = [make_seed_result(jobs) for jobs in complete]
    except RunError as error:
        return replace(row, status="refused", reason=str(error))
    differing = seed_differences(done)
    if differing:
        return replace(row, status="refused", reason=f"the seeds differ in {', '.join(differing)}")
    others = _cases_of_other_subjects(done, row.data, owners)
    if others:
        reason = f"{len(others)} cases have another subject than in most runs; the first case is '{others[0]}'"
        return replace(row, status="refused", reason=reason)
    recorded = {key: max(seed.conditions[key] for seed in done) for key in RECORDED}
    recorded |= {key: " and ".join(sorted({seed.conditions[key] for seed in done} - {""})) for key in MACHINE}
    endings = pool_endings([seed.conditions for seed in done])
    numbers = tuple(seed.seed for seed in done)
    scored = replace(row, seed_numbers=numbers, **{**done[0].conditions, **recorded, **endings}, **_scores(done))
    scored = scored if all(result.sealed for result in results) else scored.with_mark(UNSEALED)
    scored = scored.with_mark(EARLY) if scored.ended_early else scored
    scored = scored.with_mark(AVERAGED) if scored.weights not in ("", "trained") else scored
    unranked = f"pooled over the {done[0].part}, counted from 0" if done[0].part else ""
    if row.text_track == "none" and done[0].tests[TRUE_TEXT_STEP].has_queries:
        unranked = unranked or NO_QUERIES
    return replace(scored, status="incomplete", reason=f"not ranked: {unranked}") if unranked else scored


def make_variant_row(results: Sequence[JobResult], full: Sequence[JobResult], owners: Owners) -> LeaderboardRow:
    """Make the row of a variant: its own scores, and its Dice minus that of the full method, seed by seed.

    Args:
        results: The results of the variant.
        full: The results of the full method.
        owners: The subject of each case.
    """
    job = results[0].job
    changes = ", ".join(f"{key}={value}" for key, value in job.changes)
    row = replace(make_row(results, owners), variant=job.variant, variant_about=job.about, variant_changes=changes)
    if row.status != "ok" and not row.tests:
        return row
    mine = group_by_seed(results)
    others = {seed: jobs for seed, jobs in group_by_seed(full).items() if all(job.state == "done" for job in jobs)}
    refused = "not comparable with the full method"
    try:
        pairs = [(make_seed_result(mine[seed]), make_seed_result(others[seed])) for seed in mine if seed in others]
    except RunError as error:
        return replace(row, status="refused", reason=f"{refused}: {error}")
    differing = variant_differences(pairs, job.settings.size, full[0].job.settings.size)
    if differing:
        return replace(row, status="refused", reason=f"{refused}: other {', '.join(differing)}")
    few = "" if len(pairs) == len(mine) else f"Δ over {len(pairs)} of {len(mine)} seeds"
    gaps = [_gap(seed.tests[TRUE_TEXT_STEP], other.tests[TRUE_TEXT_STEP]) for seed, other in pairs]
    return replace(
        row,
        status="variant",
        reason="; ".join(filter(None, [row.reason, few])),
        delta_dice=_mean(gaps),
        delta_dice_std=_deviation(gaps),
        delta_seeds=len(pairs),
    )


def make_control_row(control: Control, spacing: Mapping[tuple[str, str], Any]) -> LeaderboardRow:
    """Make the row of a control; it has the columns of a model and no rank.

    Args:
        control: The control.
        spacing: (data set, case) to the size of its voxels.
    """
    row = LeaderboardRow(
        model=f"control:{control.name}",
        data=control.data,
        text_track=control.track,
        split_hash=control.split_hash,
        metric_version=control.metric_version,
        status="control",
        reason=control.note,
        shared_images=control.shared_images,
        folds=control.folds,
        mark="" if control.sealed or control.scores is None else UNSEALED,
        **NO_VALUES,
    )
    if control.scores is None:
        return replace(row, dice=control.dice)
    try:
        summary, rows = control.scores.summary, control.scores.rows
    except RunError as error:
        return replace(row, reason="; ".join(filter(None, [control.note, error.problem])))
    conditions: dict[str, Any] = {"n": summary.cases, "hd95_unit": summary.unit}
    conditions |= {"cases_hash": cases_hash(rows), "label_hash": hash_labels(rows)}
    sizes = {case: size for (data, case), size in spacing.items() if data == control.data}
    scores = TestScores(rows, {**control.scores.about, "spacing": sizes})
    return replace(row, **conditions, **_scores([SeedResult(0, conditions, {TRUE_TEXT_STEP: scores})]))


def _row_without_scores(results: Sequence[JobResult], done: int, planned: int) -> LeaderboardRow:
    jobs = [job for jobs in group_by_seed(results).values() for job in jobs]
    job = jobs[0].job
    manifests = [job.manifest for job in jobs if job.manifest]
    track = next((str(one["text_track"]) for one in manifests if one.get("text_track")), job.track)
    encoder = next((str(one["encoder"]) for one in manifests if one.get("encoder")), job.encoder)
    return LeaderboardRow(
        model=job.model,
        size=job.settings.size,
        encoder=encoder if track != "none" else "",
        options=_describe_options(jobs[0].options, manifests),
        data=job.shown_data,
        text_track=track,
        seeds=done,
        seeds_planned=planned,
        recipe=job.settings.recipe,
        tuning=describe_tuning(job),
        search=job.search,
        folds=len({one.job.fold for one in jobs} - {None}) or None,
        jobs=tuple(one.job.id for one in jobs),
        **NO_VALUES,
    )


def _describe_options(differing: str, manifests: Sequence[Mapping[str, Any]]) -> str:
    """Return the options in the label of a row: those in which joined runs differ, and its text loss."""
    loss = next((str(one["text_loss"]) for one in manifests if one.get("text_loss")), "")
    return ", ".join(filter(None, [differing, "" if "model.text_loss=" in differing else loss]))


def _cases_of_other_subjects(done: Sequence[SeedResult], data: str, owners: Owners) -> list[str]:
    """Return the cases that a seed assigns to another subject than `owners` does."""
    recorded = [one for seed in done for test in seed.tests.values() for one in test.about.get("subjects", {}).items()]
    return sorted({case for case, subject in recorded if subject != owners.get((data, case), subject)})


def _scores(done: Sequence[SeedResult]) -> dict[str, Any]:
    """Return the means over the seeds, which are sorted."""
    steps = sorted({step for seed in done for step in seed.tests})
    tests = {step: tuple(one.tests[step] for one in done) for step in steps if all(step in one.tests for one in done)}
    true = tests[TRUE_TEXT_STEP]
    summaries = [test.summary for test in true]
    sizes = [dice_by_size(test.rows) for test in true]
    dices = {text: [test.summary.dice for test in tests.get(f"{TRUE_TEXT_STEP}-{text}", ())] for text in TEXTS}
    gains = {text: list(map(_gap, true, tests.get(f"{TRUE_TEXT_STEP}-{text}", ()))) for text in TEXTS}
    return {
        **_metric_means(summaries),
        **{key: _mean([getattr(one, key) for one in summaries]) for key in ("dice_global", "missed", "spurious")},
        **{f"dice_{text}": _mean(values) for text, values in dices.items()},
        **{column: _mean(gains[text]) for text, column in TEXTS.items()},
        **_size_means([overall for overall, _ in sizes]),
        "per_class": tuple(
            replace(_class_row(label, summaries), **_size_means([classes[label] for _, classes in sizes]))
            for label in summaries[0].per_class
        ),
        "scorers": _scorer_means(true),
        "tests": tests,
    }


def _scorer_means(tests: Sequence[TestScores]) -> dict[str, float]:
    """Return the means by the scorers of challenges that every seed has, over the seeds."""
    found = [scorer_means(test.rows, test.about) for test in tests]
    return {key: fmean(one[key] for one in found) for key in found[0] if all(key in one for one in found)}


def _size_means(seeds: Sequence[SizeDice]) -> dict[str, Any]:
    """Return the mean Dice of each size tercile over the seeds."""
    return {f"dice_{key}": _mean([getattr(one, key) for one in seeds]) for key in SizeDice._fields}


def _class_row(label: str, summaries: Sequence[Summary]) -> ClassRow:
    scores = [summary.per_class[label] for summary in summaries]
    keys = ("scored", "missed", "spurious", "absent")
    counts: dict[str, Any] = {key: fmean(getattr(one, key) for one in scores) for key in keys}
    dice_global = _mean([one.dice_global for one in scores])
    return ClassRow(label=label, dice_global=dice_global, **counts, **_metric_means(scores))


def _metric_means(scores: Sequence[MeanScores]) -> dict[str, Any]:
    """Return the mean of each metric over the seeds, and as `std` the deviations."""
    values = {key: [getattr(one, key) for one in scores] for key in METRIC_KEYS}
    std = MetricValues(**{key: _deviation(ones) for key, ones in values.items()})
    return {key: _mean(ones) for key, ones in values.items()} | {"std": std}


def _gap(test: TestScores, other: TestScores) -> float | None:
    mine, theirs = test.summary.dice, other.summary.dice
    return None if mine is None or theirs is None else mine - theirs


def _mean(values: Sequence[float | None]) -> float | None:
    """Return the mean, or None where a value is missing: a mean over an incomplete row would mislead."""
    known = [float(value) for value in values if value is not None]
    return fmean(known) if known and len(known) == len(values) else None


def _deviation(values: Sequence[float | None]) -> float | None:
    known = [float(value) for value in values if value is not None]
    return stdev(known) if len(known) > 1 and len(known) == len(values) else None
