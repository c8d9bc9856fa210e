"""The leaderboard: one row a model, size, encoder, data set and text track, in blocks that may be ranked.

A block is one data set and one text track; text-free rows stand beside any one track, two tracks are
two blocks. A row is ranked only where it is complete and agrees with its block in what `GATE` names.
Everything is made from stored files and sorted, so that the same results give the same bytes.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from benchmarks.plan import load_plan
from benchmarks.results import Control, Result, read_controls, read_results
from zoo.metrics.rows import LEAK

GATE = ("size", "split_hash", "metric_version", "budget", "n", "hd95_unit")
"""Columns in which the rows of one ranking must agree."""

FOOTNOTES = (
    "dice: mean over cases within a class, then over classes; dice_global: tp, fp and fn pooled over cases. "
    "Fractions of 1; mean ± standard deviation over seeds (ddof 1), none for a single seed.",
    "hd95: the larger of the two directed 95th percentiles. A missed or spurious class has dice 0 and the image's "
    "diagonal as its distance. Millimetres (mm) and pixels (px) are never averaged together.",
    "missed, spurious: (case, class) pairs of one seed, averaged over seeds. n: cases.",
    "text_gain: dice with the true text minus dice with shuffled text, text_gain_blank: minus dice with no text; "
    "same checkpoint, mean over seeds; empty for text-free models.",
    "Controls are no models and are never ranked.",
    f"[{LEAK}]: the protocol has subjects in more than one part, as its card declares.",
)


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the leaderboard; the fields are the columns of the CSV, in its order.

    A figure is None where it does not exist: for an incomplete row, a text-free model's text gain,
    the deviation of a single seed.
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

    @property
    def label(self) -> str:
        """The model with its size, as it is printed: a toy never bears the bare name, nor a marked row a clean one."""
        name = f"{self.model} ({self.size})" if self.size else self.model
        return f"{name} [{self.mark}]" if self.mark else name

    @property
    def control(self) -> bool:
        """Whether the row is a control and no model."""
        return self.model.startswith("control:")


@dataclass(frozen=True, slots=True)
class Block:
    """What may be compared: the rows of one data set and one text track.

    Attributes:
        data: The data set.
        track: The text track of the models, or at least of a control, that read text; "none" where nothing does.
        ranked: Rows that stand in the ranking, best Dice first.
        unranked: Rows that do not, each with its reason.
        controls: Rows of controls.
    """

    data: str
    track: str
    ranked: tuple[Row, ...]
    unranked: tuple[Row, ...]
    controls: tuple[Row, ...]

    @property
    def rows(self) -> tuple[Row, ...]:
        """All rows in the order of print."""
        return (*self.ranked, *self.unranked, *self.controls)

    @property
    def unit(self) -> str:
        """The unit of the block's distances."""
        units = {row.hd95_unit for row in self.rows} - {""}
        return units.pop() if len(units) == 1 else ""


@dataclass(frozen=True, slots=True)
class Table:
    """The leaderboard of a benchmark."""

    blocks: tuple[Block, ...]
    footnotes: tuple[str, ...] = FOOTNOTES

    @property
    def rows(self) -> list[Row]:
        """Every row once, in the order of print."""
        return list(dict.fromkeys(row for block in self.blocks for row in block.rows))


def read_table(folder: Path) -> Table:
    """The table of a benchmark's folder.

    Raises:
        RunError: There is no benchmark in the folder, or a file of it cannot be read.
    """
    results = read_results(folder, load_plan(folder))
    controls = [control for name in sorted({r.job.data for r in results}) for control in read_controls(folder, name)]
    return make_table(results, controls)


def make_table(results: Iterable[Result], controls: Iterable[Control]) -> Table:
    """Groups results into rows and rows into blocks."""
    groups: dict[tuple[str, ...], list[Result]] = {}
    for result in results:
        job = result.job
        groups.setdefault((job.data, job.model, job.settings.size, job.encoder), []).append(result)
    rows = [make_row(groups[key]) for key in sorted(groups)]
    lines = [control_row(control) for control in controls]
    blocks = []
    for data in sorted({row.data for row in rows}):
        mine = [row for row in rows if row.data == data]
        known = {row.text_track for row in (*mine, *(line for line in lines if line.data == data))}
        for track in sorted(known - {"none"}) or ["none"]:
            shown = [row for row in mine if row.text_track in {"none", track}]
            beside = [row for row in lines if row.data == data and row.text_track in {"none", track}]
            blocks.append(_block(data, track, shown, beside))
    return Table(tuple(blocks))


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


def control_row(control: Control) -> Row:
    """The row of a control; it has the columns of a model and no rank."""
    row = Row(
        model=f"control:{control.name}",
        data=control.data,
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
        data=job.data,
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
    true, less = [run.tests["test"].dice for run in done], [run.tests[other].dice for run in done]
    return _mean([None if a is None or b is None else a - b for a, b in zip(true, less, strict=True)])


def _mean(values: Sequence[float | None]) -> float | None:
    """The mean, None where a value is missing: no mean over an incomplete row."""
    known = [float(value) for value in values if value is not None]
    return fmean(known) if known and len(known) == len(values) else None


def _deviation(values: Sequence[float | None]) -> float | None:
    known = [float(value) for value in values if value is not None]
    return stdev(known) if len(known) > 1 and len(known) == len(values) else None


def _block(data: str, track: str, rows: Sequence[Row], controls: Sequence[Row]) -> Block:
    """Lets the gate decide which rows are ranked."""
    whole = [row for row in rows if row.status == "ok"]
    reference = _reference([_gated(row) for row in whole])
    ranked, unranked = [], [row for row in rows if row.status != "ok"]
    for row in whole:
        differing = [key for key, value in _gated(row).items() if value != reference[key]]
        reasons = [f"{key} {_shown(getattr(row, key))}, not {_shown(reference[key])}" for key in differing]
        if row.dice is None:
            reasons.append("no class in any case")
        if reasons:
            unranked.append(replace(row, status="refused", reason=f"not comparable: {'; '.join(reasons)}"))
        else:
            ranked.append(row)
    ranked.sort(key=lambda row: (-(row.dice or 0.0), row.model, row.size, row.encoder))
    unranked.sort(key=lambda row: (row.model, row.size, row.encoder, row.text_track))
    leaking = {row.split_hash for row in whole if row.mark}
    marked = [replace(row, mark=LEAK) if row.split_hash in leaking else row for row in controls]
    return Block(data, track, tuple(ranked), tuple(unranked), tuple(_stale(row, reference) for row in marked))


def _gated(row: Row) -> dict[str, Any]:
    return {key: getattr(row, key) for key in GATE}


def _reference(facts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What most rows of a block share; among equals the one that sorts first."""
    counts = Counter(json.dumps(fact, sort_keys=True) for fact in facts)
    if not counts:
        return {}
    best: dict[str, Any] = json.loads(min(counts, key=lambda text: (-counts[text], text)))
    return best


def _stale(row: Row, reference: Mapping[str, Any]) -> Row:
    """Says of a control that it was computed on other cases or by another metric than the models."""
    keys = [key for key in ("split_hash", "metric_version", "n") if getattr(row, key) not in ("", None)]
    other = [key for key in keys if getattr(row, key) != reference.get(key, getattr(row, key))]
    note = f"other {' and '.join(other)} than the models" if other else ""
    return replace(row, reason="; ".join(filter(None, [row.reason, note])))


def _shown(value: object) -> str:
    text = str(value) if value not in ("", None) else "(none)"
    return f"{text[:12]}..." if len(text) == 64 else text  # a hash
