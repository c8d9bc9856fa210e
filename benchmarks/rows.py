"""The rows of the leaderboard: what a model, one rung of its ladder or a control has scored, over its seeds."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import fmean, stdev
from typing import Any

from benchmarks.results import Control, Result
from zoo.metrics.rows import LEAK
from zoo.metrics.summary import Summary

GATE = ("size", "split_hash", "metric_version", "budget", "n", "hd95_unit")
"""Columns in which the rows of one ranking must agree."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the leaderboard; the fields are the columns of the CSV, in its order.

    A figure is None where it does not exist: for an incomplete row, a text-free model's text gain,
    the deviation of a single seed, the delta of what is no rung. A complete row's status is "ok", a
    rung's "rung", a control's "control".
    """

    model: str
    size: str = ""
    encoder: str = ""
    data: str = ""
    text_track: str = "none"
    n: int | None = None
    seeds: int | None = None
    dice: float | None = None
    dice_std: float | None = None
    dice_global: float | None = None
    hd95: float | None = None
    hd95_std: float | None = None
    hd95_unit: str = ""
    missed: float | None = None
    spurious: float | None = None
    text_gain: float | None = None
    text_gain_blank: float | None = None
    params: int | None = None
    params_trainable: int | None = None
    hd95_pooled: float | None = None
    nsd: float | None = None
    assd: float | None = None
    seeds_planned: int | None = None
    budget: str = ""
    split_hash: str = ""
    prompt_hash: str = ""
    metric_version: str = ""
    status: str = "ok"
    reason: str = ""
    mark: str = ""
    rung: str = ""
    rung_about: str = ""
    rung_changes: str = ""
    delta_dice: float | None = None
    delta_dice_std: float | None = None
    delta_seeds: int | None = None

    @property
    def label(self) -> str:
        """The model with its size, as it is printed: a toy never bears the bare name, nor a marked row a clean one."""
        name = f"{self.model} ({self.size})" if self.size else self.model
        name = f"{name} - {self.rung}" if self.rung else name
        return f"{name} [{self.mark}]" if self.mark else name

    @property
    def legend(self) -> str:
        """What the row's rung changes, in words and in arguments."""
        return f"{self.rung_about} ({self.rung_changes})"

    @property
    def control(self) -> bool:
        """Whether the row is a control and no model."""
        return self.model.startswith("control:")


def make_row(results: Sequence[Result]) -> Row:
    """The row of one model's seeds on one data set."""
    runs = sorted(results, key=lambda result: result.job.seed)
    done = [run for run in runs if run.state == "done"]
    row = _named_row(runs, len(done))
    lacking = [run for run in runs if run.state != "done"]
    if lacking:
        notes = "; ".join(f"seed {r.job.seed} {r.state}" + (f" ({r.note})" if r.note else "") for r in lacking)
        status = "failed" if any(run.state == "failed" for run in lacking) else "incomplete"
        return replace(row, status=status, reason=f"{len(done)} of {len(runs)} seeds: {notes}")
    facts = [_facts(run) for run in done]
    differing = [key for key in facts[0] if len({fact[key] for fact in facts}) > 1]
    if differing:
        return replace(row, status="refused", reason=f"the seeds differ in {', '.join(differing)}")
    return replace(row, **facts[0], **_figures(done))


def rung_row(results: Sequence[Result], full: Sequence[Result]) -> Row:
    """The row of one rung: its own figures, and its Dice minus the full method's, seed by seed.

    Args:
        results: The rung's seeds.
        full: The seeds of the full method.
    """
    job = results[0].job
    row = replace(
        make_row(results),
        rung=job.rung,
        rung_about=job.about,
        rung_changes=", ".join(f"{key}={value}" for key, value in job.changes),
    )
    if row.status != "ok":
        return row
    others = {run.job.seed: run for run in full if run.state == "done"}
    pairs = [(run, others[run.job.seed]) for run in results if run.job.seed in others]
    differing = [key for key in GATE if any(_gated(run)[key] != _gated(other)[key] for run, other in pairs)]
    if differing:
        return replace(
            row, status="refused", reason=f"not comparable with the full method: other {', '.join(differing)}"
        )
    gaps = [_gap(run.tests["test"], other.tests["test"]) for run, other in pairs]
    return replace(
        row,
        status="rung",
        reason="" if len(pairs) == len(results) else f"Δ over {len(pairs)} of {len(results)} seeds",
        delta_dice=_mean(gaps),
        delta_dice_std=_deviation(gaps),
        delta_seeds=len(pairs),
    )


def _gated(run: Result) -> dict[str, Any]:
    return {"size": run.job.settings.size, **_facts(run)}


def _gap(summary: Summary, other: Summary) -> float | None:
    return None if summary.dice is None or other.dice is None else summary.dice - other.dice


def control_row(control: Control, data: str = "") -> Row:
    """The row of a control; it has the columns of a model and no rank.

    Args:
        control: The control.
        data: How the table names its data; default the set's name.
    """
    row = Row(
        model=f"control:{control.name}",
        data=data or control.data,
        text_track=control.track,
        split_hash=str(control.facts.get("split_hash", "")),
        metric_version=str(control.facts.get("metric_version", "")),
        status="control",
        reason=control.note,
    )
    summary = control.summary
    if summary is None:
        return replace(row, dice=control.dice)
    return replace(
        row,
        n=summary.cases,
        hd95_unit=summary.unit,
        **{key: getattr(summary, key) for key in ("dice", "dice_global", "hd95", "hd95_pooled", "nsd", "assd")},
        missed=float(summary.missed),
        spurious=float(summary.spurious),
    )


def _named_row(runs: Sequence[Result], done: int) -> Row:
    """A row with its names and counts and no figure yet."""
    job = runs[0].job
    manifests = [run.facts for run in runs if run.facts]
    track = next((str(facts["text_track"]) for facts in manifests if facts.get("text_track")), job.track)
    encoder = next((str(facts["encoder"]) for facts in manifests if facts.get("encoder")), job.encoder)
    return Row(
        model=job.model,
        size=job.settings.size,
        encoder=encoder if track != "none" else "",
        data=job.shown_data,
        text_track=track,
        seeds=done,
        seeds_planned=len(runs),
    )


def _facts(run: Result) -> dict[str, Any]:
    """What all seeds of a row, and partly all rows of a ranking, must share."""
    budget = run.facts.get("budget") or {}
    return {
        "budget": " ".join(f"{key}={_plain(budget[key])}" for key in sorted(budget)),
        **{key: str(run.facts.get(key) or "") for key in ("split_hash", "prompt_hash", "metric_version")},
        **{key: run.facts.get(key) for key in ("params", "params_trainable")},
        "mark": LEAK if run.facts.get("leak_declared") else "",
        "n": run.tests["test"].cases,
        "hd95_unit": run.tests["test"].unit,
    }


def _plain(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _figures(done: Sequence[Result]) -> dict[str, Any]:
    """Means and deviations over the seeds, which come sorted."""
    true = [run.tests["test"] for run in done]
    dice, hd95 = [summary.dice for summary in true], [summary.hd95 for summary in true]
    return {
        "dice": _mean(dice),
        "dice_std": _deviation(dice),
        "hd95": _mean(hd95),
        "hd95_std": _deviation(hd95),
        **{key: _mean([getattr(s, key) for s in true]) for key in ("dice_global", "hd95_pooled", "nsd", "assd")},
        **{key: _mean([getattr(s, key) for s in true]) for key in ("missed", "spurious")},
        "text_gain": _gain(done, "test-shuffled"),
        "text_gain_blank": _gain(done, "test-blank"),
    }


def _gain(done: Sequence[Result], other: str) -> float | None:
    """Mean over seeds of the Dice with the true text minus that with another text."""
    if any(other not in run.tests for run in done):
        return None
    return _mean([_gap(run.tests["test"], run.tests[other]) for run in done])


def _mean(values: Sequence[float | None]) -> float | None:
    """The mean, None where a value is missing: no mean over an incomplete row."""
    known = [float(value) for value in values if value is not None]
    return fmean(known) if known and len(known) == len(values) else None


def _deviation(values: Sequence[float | None]) -> float | None:
    known = [float(value) for value in values if value is not None]
    return stdev(known) if len(known) > 1 and len(known) == len(values) else None
