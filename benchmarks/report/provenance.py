"""Where every number comes from: what the runs share, and what sets each apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.report.cells import Cell, Column, Grid, Line
from benchmarks.storage.results import Result

_FACTS = (
    *(("zoo", "textseg-zoo"), ("git_commit", "commit"), ("devices", "devices"), ("size", "size")),
    *(("encoder", "encoder"), ("text_track", "text"), ("split_hash", "split"), ("prompt_hash", "prompts")),
    *(("metric_version", "metric version"), ("budget", "budget"), ("config_hash", "config")),
    *(("best_val_dice", "best val/dice"), ("started", "started"), ("finished", "finished")),
)
"""Keys of a manifest in the order of print, and their heads."""

_ALWAYS = ("config", "best val/dice", "started", "finished")
"""Heads that stand in the table even where all runs agree."""

Shared = list[tuple[str, str]]


def provenance(results: Sequence[Result]) -> tuple[Shared, Grid]:
    """(what all runs share, the table of what differs), a line a job.

    Args:
        results: Of all jobs.
    """
    facts = {one.job.id: _facts(one.facts) for one in results}
    begun = [fact for fact in facts.values() if fact]
    heads = list(dict.fromkeys(head for fact in begun for head in fact))
    shared = [
        (head, begun[0][head])
        for head in heads
        if head not in _ALWAYS and len({fact.get(head) for fact in begun}) == 1 and begun[0].get(head)
    ]
    rest = [head for head in heads if head not in dict(shared) and any(fact.get(head) for fact in begun)]
    lines = []
    for one in results:
        cells = [_cell(facts[one.job.id].get(head, "")) for head in rest]
        lines.append(Line(one.job.id, [Cell(one.state, one.state), *cells], "" if one.state == "done" else "off"))
    columns = [Column("state", "", False), *(Column(head, "", False) for head in rest)]
    return shared, Grid("Run", columns, [("", lines)], "One line a job: its state and what its manifest says")


def period(results: Sequence[Result]) -> str:
    """From the first start to the last end, by the manifests; empty where there are none."""
    starts = sorted(str(one.facts["started"]) for one in results if one.facts.get("started"))
    ends = sorted(str(one.facts["finished"]) for one in results if one.facts.get("finished"))
    if not (starts and ends):
        return ""
    first, last = _time(starts[0]), _time(ends[-1])
    return f"{first.removesuffix(' UTC')} to {last.removeprefix(first[:11])}"


def _facts(manifest: Mapping[str, Any]) -> dict[str, str]:
    """The facts of a manifest as text; versions of packages are facts of their own."""
    if not manifest:
        return {}
    texts = {head: _text(key, manifest.get(key)) for key, head in _FACTS}
    versions = manifest.get("versions")
    if isinstance(versions, Mapping):
        texts |= {str(name): str(version or "") for name, version in versions.items()}
    return texts


def _text(key: str, value: Any) -> str:
    if value is None or value == "":
        return ""
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {value[name]}" for name in sorted(value))
    if isinstance(value, float):
        return f"{value:.4f}"
    return _time(str(value)) if key in {"started", "finished"} else str(value)


def _time(text: str) -> str:
    """2026-01-31T12:00:00+00:00 as 2026-01-31 12:00 UTC."""
    return f"{text[:10]} {text[11:16]} UTC" if text.endswith("+00:00") and len(text) == 25 else text


def _cell(text: str) -> Cell:
    return Cell(text, text or None)
