"""The provenance of every number: what all runs share, and what differs from run to run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from benchmarks.storage.results import JobResult
from benchmarks.tables.column import Column
from benchmarks.tables.views import TableView, make_lines

_KEYS = (
    *(("zoo", "textseg-zoo"), ("git_commit", "commit"), ("hardware", "hardware"), ("devices", "devices")),
    ("size", "size"),
    *(("encoder", "encoder"), ("text_track", "text"), ("split_hash", "split"), ("prompt_hash", "prompts")),
    *(("metric_version", "metric version"), ("budget", "budget"), ("config_hash", "config")),
    *(("best_val_dice", "best val/dice"), ("started", "started"), ("finished", "finished")),
)
"""Keys of a manifest and their heads, in the order of the table."""

HOURS = "hours"
"""Head of the time from the first start to the end of the training, with its interruptions."""

_ALWAYS = ("hardware", HOURS, "config", "best val/dice", "started", "finished")
"""Heads that are in the table even where all runs agree."""

Shared = list[tuple[str, str]]


def make_provenance(results: Sequence[JobResult]) -> tuple[Shared, TableView]:
    """Return what all runs share, and the table of what differs, with one line per job.

    Args:
        results: The results of all jobs.
    """
    texts = {one.job.id: _manifest_texts(one.manifest) for one in results}
    begun = [one for one in texts.values() if one]
    heads = list(dict.fromkeys(head for one in begun for head in one))
    shared = {
        head: begun[0][head]
        for head in heads
        if head not in _ALWAYS and len({one.get(head) for one in begun}) == 1 and begun[0].get(head)
    }
    differing = [head for head in heads if head not in shared and any(one.get(head) for one in begun)]
    columns = [Column[JobResult](key="state", title="state", get=lambda one: one.state, words=True)]
    columns += [_manifest_column(head, texts) for head in differing]
    lines = make_lines(columns, results, lambda one: one.job.id, lambda one: "" if one.state == "done" else "off")
    caption = "One line per job: its state and its manifest; hours from the start to the end of the training"
    return list(shared.items()), TableView("Provenance", caption, "Run", tuple(columns), (("", lines),))


def _manifest_column(head: str, texts: Mapping[str, Mapping[str, str]]) -> Column[JobResult]:
    return Column(key=head, title=head, get=lambda one: texts[one.job.id].get(head), words=True)


def find_period(results: Sequence[JobResult]) -> str:
    """Return the first start and the last end of all manifests; empty where there are none."""
    starts = sorted(str(one.manifest["started"]) for one in results if one.manifest.get("started"))
    ends = sorted(str(one.manifest["finished"]) for one in results if one.manifest.get("finished"))
    if not (starts and ends):
        return ""
    first, last = _time(starts[0]), _time(ends[-1])
    return f"{first.removesuffix(' UTC')} to {last.removeprefix(first[:11])}"


def _manifest_texts(manifest: Mapping[str, Any]) -> dict[str, str]:
    """Return the values of a manifest as text; each version of a package has its own head."""
    if not manifest:
        return {}
    texts = {head: _text(key, manifest.get(key)) for key, head in _KEYS}
    texts[HOURS] = _count_hours(manifest)
    versions = manifest.get("versions")
    if isinstance(versions, Mapping):
        texts |= {str(name): str(version or "") for name, version in versions.items()}
    return texts


def _count_hours(manifest: Mapping[str, Any]) -> str:
    """Return the hours of a training that is finished, with two digits."""
    try:
        start, end = (datetime.fromisoformat(str(manifest[key])) for key in ("started", "finished"))
        return f"{(end - start).total_seconds() / 3600:.2f}"
    except (KeyError, TypeError, ValueError):  # not finished, or written by hand
        return ""


def _text(key: str, value: Any) -> str:
    if value is None or value == "":
        return ""
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {value[name]}" for name in sorted(value))
    if isinstance(value, float):
        return f"{value:.4f}"
    return _time(str(value)) if key in {"started", "finished"} else str(value)


def _time(text: str) -> str:
    """Return 2026-01-31T12:00:00+00:00 as 2026-01-31 12:00 UTC."""
    return f"{text[:10]} {text[11:16]} UTC" if text.endswith("+00:00") and len(text) == 25 else text
