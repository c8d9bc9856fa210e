"""The gate: what may be averaged into one row, what may stand in one ranking, and what a reader must be told.

A refusal is a reason that is printed under the table. A warning refuses nothing.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from benchmarks.leaderboard.row import Row
from benchmarks.leaderboard.statistics import FEWEST
from benchmarks.storage.seeds import Run
from zoo.metrics.case_scores import LEAK, METRIC_VERSION

ALIKE = ("size", "split_hash", "metric_version", "budget", "n", "hd95_unit", "classes", "cases_hash")
"""Columns in which the rows of one ranking must agree."""

RECORDED = ("label_space",)
"""Columns in which they must agree as far as their versions of the zoo have recorded them."""

SEEDS = (*(key for key in ALIKE if key != "size"), *RECORDED, "prompt_hash", "params", "params_trainable", "mark")
"""Facts in which the seeds of one row must agree."""

CONTROLS = ("split_hash", "metric_version", "n", "cases_hash")
"""Columns in which a control must agree with the models, as far as it has them."""

PROMPTS = "prompts"
"""Mark of a row of the class track that has read another prompt set than most."""

_SHOWN = 5  # subjects or images that a warning names


def seed_differences(runs: Sequence[Run]) -> list[str]:
    """The facts in which the seeds of a row differ; an unrecorded one differs from none."""
    return [key for key in SEEDS if len(_values(key, (run.facts[key] for run in runs))) > 1]


def variant_differences(pairs: Iterable[tuple[Run, Run]], size: str, other_size: str) -> list[str]:
    """The facts in which a variant's runs differ from those of its full method; another prompt set is no obstacle."""
    pairs = list(pairs)
    keys = [key for key in (*ALIKE, *RECORDED) if key != "size"]
    differing = [key for key in keys if any(len(_values(key, (a.facts[key], b.facts[key]))) > 1 for a, b in pairs)]
    return (["size"] if size != other_size else []) + differing


def judge(rows: Sequence[Row]) -> tuple[list[Row], Mapping[str, Any]]:
    """Refuses the rows of a block that may not be ranked; those that are incomplete already are left alone.

    Most decide: the facts that the most rows share are the ranking's, among equals those of the present metric
    version. Rows of the `class` track may have read another prompt set: they are marked. In other tracks the texts
    are the data.

    Args:
        rows: Rows of one data set, text track and recipe.

    Returns:
        The same rows, refused ones with status and reason, and the facts of the ranking.
    """
    whole = [row for row in rows if row.status == "ok"]
    keys = [key for key in ALIKE if key != "budget" or not any(row.recipe == "published" for row in rows)]
    common = _most([{key: getattr(row, key) for key in keys} for row in whole])
    alike = [row for row in whole if all(getattr(row, key) == common[key] for key in keys)]
    readers = [row for row in alike if row.text_track != "none"]
    common |= _most([{key: getattr(row, key)} for key in RECORDED for row in alike if getattr(row, key)])
    common |= _most([{"prompt_hash": row.prompt_hash} for row in readers])
    return [_judge(row, keys, common) if row.status == "ok" else row for row in rows], common


def _judge(row: Row, keys: Sequence[str], common: Mapping[str, Any]) -> Row:
    differing = [key for key in keys if getattr(row, key) != common[key]]
    differing += [key for key in RECORDED if len(_values(key, (getattr(row, key), common.get(key, "")))) > 1]
    prompts = row.text_track != "none" and row.prompt_hash != common.get("prompt_hash", row.prompt_hash)
    if prompts and row.text_track != "class":
        differing.append("prompt_hash")
    reasons = [f"{key} {_shown(getattr(row, key))}, not {_shown(common[key])}" for key in differing]
    if row.dice is None:
        reasons.append("no class in any case")
    if reasons:
        return replace(row, status="refused", reason=f"not comparable: {'; '.join(reasons)}")
    return marked(row, PROMPTS) if prompts else row


def marked(row: Row, mark: str) -> Row:
    """The row with one mark more."""
    marks = sorted({*filter(None, row.mark.split(", ")), mark})
    return replace(row, mark=", ".join(marks))


def beside(control: Row, common: Mapping[str, Any], leaking: bool) -> Row:
    """A control as it stands beside the models: it says where it was computed on other cases or by another metric.

    Args:
        control: Its row.
        common: The facts of the ranking.
        leaking: Whether the models of its split are marked as leaking.
    """
    keys = [key for key in CONTROLS if getattr(control, key) not in ("", None)]
    other = [key for key in keys if getattr(control, key) != common.get(key, getattr(control, key))]
    note = f"other {' and '.join(other)} than the models" if other else ""
    reason = "; ".join(filter(None, [control.reason, note]))
    return replace(marked(control, LEAK) if leaking else control, reason=reason)


def warnings(ranked: Sequence[Row], unranked: Sequence[Row], controls: Sequence[Row] = ()) -> tuple[str, ...]:
    """What a reader of a block must know that refuses no row, one line each."""
    rows = [*ranked, *unranked]
    scored = [row for row in rows if row.sample]
    return tuple(
        filter(
            None,
            [
                _leaks(rows),
                _twins(controls),
                _named("the run has not recorded whose the cases are: each case counts as a subject of its own",
                       [row for row in scored if row.sample and not row.sample.known]),
                _named("the run has not recorded its label space: only the names of the classes are compared",
                       [row for row in scored if not row.label_space]),
                _named("another prompt set than the other rows", [row for row in ranked if PROMPTS in row.mark]),
                _named(f"fewer than {FEWEST} subjects: no interval and no test",
                       [row for row in scored if (row.subjects or 0) < FEWEST]),
                "each model has the budget of its own published recipe"
                if any(row.recipe == "published" for row in rows)
                else "",
            ],
        )
    )  # fmt: skip


def _leaks(rows: Sequence[Row]) -> str:
    marked_rows = [row for row in rows if LEAK in row.mark]
    if not marked_rows:
        return ""
    leaks = {subject: parts for row in marked_rows for subject, parts in row.leaks.items()}
    some = _some([f"{subject} ({' and '.join(parts)})" for subject, parts in sorted(leaks.items())], ", ")
    text = "the protocol has subjects in more than one part, as its card declares"
    return _named(text + (f": {some}" if leaks else ""), marked_rows)


def _twins(controls: Sequence[Row]) -> str:
    found = list(dict.fromkeys(twin for row in controls for twin in row.twins))
    return f"images stand in two parts: {_some(found, '; ')}" if found else ""


def _some(things: Sequence[str], between: str) -> str:
    """The first few, and how many more there are."""
    more = f" and {len(things) - _SHOWN} more" if len(things) > _SHOWN else ""
    return between.join(things[:_SHOWN]) + more


def _named(text: str, rows: Sequence[Row]) -> str:
    """The warning with the rows that it is about."""
    names = sorted({row.label for row in rows})
    return f"{text} [{', '.join(names)}]" if names else ""


def _values(key: str, values: Iterable[Any]) -> set[str]:
    return {json.dumps(value) for value in values if value or key not in RECORDED}


def _most(facts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What most share; among equals that of the present metric version, and else the one that sorts first."""
    counts = Counter(json.dumps(fact, sort_keys=True) for fact in facts)
    if not counts:
        return {}
    by = {text: (-number, json.loads(text).get("metric_version") != METRIC_VERSION) for text, number in counts.items()}
    best: dict[str, Any] = json.loads(min(counts, key=lambda text: (*by[text], text)))
    return best


def _shown(value: object) -> str:
    text = str(value) if value not in ("", None) else "(none)"
    return f"{text[:12]}..." if len(text) == 64 else text  # a hash
