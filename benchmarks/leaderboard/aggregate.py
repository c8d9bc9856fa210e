"""Makes rows: the figures of a model, one variant of its ablation or a control, over its seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from statistics import fmean, stdev
from typing import Any

from benchmarks.leaderboard.comparability import RECORDED, seed_differences, variant_differences
from benchmarks.leaderboard.row import ClassRow, Row
from benchmarks.leaderboard.subjects import make_sample
from benchmarks.storage.results import Control, Result, Scored
from benchmarks.storage.seeds import TRUE, Run, by_seed, make_run, named
from zoo.errors import RunError
from zoo.metrics.case_scores import cases_hash
from zoo.metrics.summary import Summary

Owners = Mapping[tuple[str, str], str]
"""(data set, case) to subject."""

MEANS = ("dice_global", "hd95_pooled", "nsd", "assd", "missed", "spurious")
TEXTS = {"shuffled": "text_gain", "blank": "text_gain_blank", "names": "text_gain_names"}
"""Each control of the text, and the column of what the true text gains over it."""


def make_row(results: Sequence[Result], owners: Owners) -> Row:
    """The row of one model's seeds, and folds where it has some, on one data set.

    Args:
        results: All of the row.
        owners: Whose the cases are.
    """
    seeds = by_seed(results)
    whole = [runs for runs in seeds.values() if all(run.state == "done" for run in runs)]
    row = _named_row(results, len(whole), len(seeds))
    lacking = [run for runs in seeds.values() for run in runs if run.state != "done"]
    if lacking:
        notes = "; ".join(f"{named(run)} {run.state}" + (f" ({run.note})" if run.note else "") for run in lacking)
        status = "failed" if any(run.state == "failed" for run in lacking) else "incomplete"
        return replace(row, status=status, reason=f"{len(whole)} of {len(seeds)} seeds: {notes}")
    try:
        done = [make_run(runs) for runs in whole]
    except RunError as error:
        return replace(row, status="refused", reason=str(error))
    differing = seed_differences(done)
    if differing:
        return replace(row, status="refused", reason=f"the seeds differ in {', '.join(differing)}")
    others = _other_owners(done, row.data, owners)
    if others:
        reason = f"{len(others)} cases have another subject than in most runs, the first is '{others[0]}'"
        return replace(row, status="refused", reason=reason)
    recorded = {key: max(run.facts[key] for run in done) for key in RECORDED}
    return replace(row, **{**done[0].facts, **recorded}, **_figures(done, row.data, owners))


def _other_owners(done: Sequence[Run], data: str, owners: Owners) -> list[str]:
    """The cases of which a run names another subject than is reckoned with."""
    told = [one for run in done for test in run.tests.values() for one in test.about.get("subjects", {}).items()]
    return sorted({case for case, subject in told if subject != owners.get((data, case), subject)})


def variant_row(results: Sequence[Result], full: Sequence[Result], owners: Owners) -> Row:
    """The row of one variant: its own figures, and its Dice minus the full method's, seed by seed.

    Args:
        results: The variant's seeds.
        full: The seeds of the full method.
        owners: Whose the cases are.
    """
    job = results[0].job
    changes = ", ".join(f"{key}={value}" for key, value in job.changes)
    row = replace(make_row(results, owners), variant=job.variant, variant_about=job.about, variant_changes=changes)
    if row.status != "ok":
        return row
    others = {seed: runs for seed, runs in by_seed(full).items() if all(run.state == "done" for run in runs)}
    mine = by_seed(results)
    try:
        pairs = [(make_run(mine[seed]), make_run(others[seed])) for seed in mine if seed in others]
    except RunError as error:
        return replace(row, status="refused", reason=f"not comparable with the full method: {error}")
    differing = variant_differences(pairs, job.settings.size, full[0].job.settings.size)
    if differing:
        return replace(
            row, status="refused", reason=f"not comparable with the full method: other {', '.join(differing)}"
        )
    gaps = [_gap(run.tests[TRUE].summary, other.tests[TRUE].summary) for run, other in pairs]
    return replace(
        row,
        status="variant",
        reason="" if len(pairs) == len(mine) else f"Δ over {len(pairs)} of {len(mine)} seeds",
        delta_dice=_mean(gaps),
        delta_dice_std=_deviation(gaps),
        delta_seeds=len(pairs),
    )


def control_row(control: Control, owners: Owners, spacing: Mapping[tuple[str, str], Any]) -> Row:
    """The row of a control; it has the columns of a model and no rank.

    Args:
        control: The control.
        owners: Whose the cases are.
        spacing: (data set, case) to the size of its voxels.
    """
    row = Row(
        model=f"control:{control.name}",
        data=control.data,
        text_track=control.track,
        split_hash=str(control.facts.get("split_hash", "")),
        metric_version=str(control.facts.get("metric_version", "")),
        status="control",
        reason=control.note,
        twins=tuple(control.facts.get("twins", ())),
        folds=control.folds,
    )
    if control.scored is None:
        return replace(row, dice=control.dice)
    try:
        summary, rows = control.scored.summary, control.scored.rows
    except RunError as error:
        return replace(row, reason="; ".join(filter(None, [control.note, error.problem])))
    facts: dict[str, Any] = {"n": summary.cases, "hd95_unit": summary.unit, "cases_hash": cases_hash(rows)}
    sizes = {case: size for (data, case), size in spacing.items() if data == control.data}
    scored = Scored(rows, {**control.scored.about, "spacing": sizes})
    return replace(row, **facts, **_figures([Run(0, facts, {TRUE: scored})], control.data, owners))


def _named_row(results: Sequence[Result], done: int, planned: int) -> Row:
    """A row with its names and counts and no figure yet."""
    runs = [run for runs in by_seed(results).values() for run in runs]
    job = runs[0].job
    manifests = [run.facts for run in runs if run.facts]
    track = next((str(facts["text_track"]) for facts in manifests if facts.get("text_track")), job.track)
    encoder = next((str(facts["encoder"]) for facts in manifests if facts.get("encoder")), job.encoder)
    folds = {run.job.fold for run in runs} - {None}
    return Row(
        model=job.model,
        size=job.settings.size,
        encoder=encoder if track != "none" else "",
        data=job.data,
        text_track=track,
        seeds=done,
        seeds_planned=planned,
        recipe=job.settings.recipe,
        folds=len(folds) or None,
        jobs=tuple(run.job.id for run in runs),
    )


def _figures(done: Sequence[Run], data: str, owners: Owners) -> dict[str, Any]:
    """Means and deviations over the seeds, which come sorted."""
    true = [run.tests[TRUE].summary for run in done]
    steps = sorted({step for run in done for step in run.tests})
    tests: dict[str, list[Scored]] = {
        step: [run.tests[step] for run in done] for step in steps if all(step in run.tests for run in done)
    }
    samples = {step: make_sample(scored, data, owners) for step, scored in tests.items()}
    return {
        **_spread("dice", true),
        **_spread("hd95", true),
        **{key: _mean([getattr(summary, key) for summary in true]) for key in MEANS},
        **{column: _gain(tests, f"{TRUE}-{text}") for text, column in TEXTS.items()},
        **{f"dice_{text}": _dice(tests.get(f"{TRUE}-{text}")) for text in TEXTS},
        "subjects": len(samples[TRUE].subjects),
        "per_class": tuple(_class_row(label, true) for label in true[0].per_class),
        "scored": tuple(tests[TRUE]),
        "samples": samples,
    }


def _class_row(label: str, summaries: Sequence[Summary]) -> ClassRow:
    figures = [summary.per_class[label] for summary in summaries]
    means: dict[str, Any] = {
        key: _mean([getattr(one, key) for one in figures]) for key in ("dice_global", "hd95_pooled", "nsd", "assd")
    }
    counts: dict[str, Any] = {
        key: fmean(getattr(one, key) for one in figures) for key in ("scored", "missed", "spurious", "absent")
    }
    return ClassRow(label=label, **_spread("dice", figures), **_spread("hd95", figures), **means, **counts)


def _spread(metric: str, figures: Sequence[Any]) -> dict[str, Any]:
    values = [getattr(one, metric) for one in figures]
    return {metric: _mean(values), f"{metric}_std": _deviation(values)}


def _gain(tests: Mapping[str, Sequence[Scored]], other: str) -> float | None:
    """Mean over seeds of the Dice with the true text minus that with another text."""
    if other not in tests:
        return None
    return _mean([_gap(mine.summary, theirs.summary) for mine, theirs in zip(tests[TRUE], tests[other], strict=True)])


def _gap(summary: Summary, other: Summary) -> float | None:
    return None if summary.dice is None or other.dice is None else summary.dice - other.dice


def _dice(tests: Sequence[Scored] | None) -> float | None:
    return _mean([test.summary.dice for test in tests or ()])


def _mean(values: Sequence[float | None]) -> float | None:
    """The mean, None where a value is missing: no mean over an incomplete row."""
    known = [float(value) for value in values if value is not None]
    return fmean(known) if known and len(known) == len(values) else None


def _deviation(values: Sequence[float | None]) -> float | None:
    known = [float(value) for value in values if value is not None]
    return stdev(known) if len(known) > 1 and len(known) == len(values) else None
