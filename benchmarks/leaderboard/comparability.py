"""The comparability check: which rows may be in one ranking, and what a reader must know of them.

A refusal is a reason that tables print. A warning refuses nothing. `benchmarks.storage.seeds` checks which seeds may
be averaged into one row.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from benchmarks.leaderboard.matched_rows import COMMON, RATE, describe_matched
from benchmarks.leaderboard.over_no_text import NO_ROW
from benchmarks.leaderboard.row import AVERAGED, EARLY, LeaderboardRow
from benchmarks.leaderboard.statistics import FEWEST
from benchmarks.plan.job import MATCHED
from benchmarks.storage.sealed_tests import NO_SEALS, UNSEALED
from benchmarks.storage.seeds import ALIKE, MACHINE, RECORDED
from zoo.contamination import MARK
from zoo.metrics.case_scores import LEAK, METRIC_VERSION
from zoo.utils.format import list_some

_CONTROLS = ("split_hash", "metric_version", "n", "cases_hash", "label_hash")
"""Conditions in which a control must agree with the models, as far as the control has them."""

_OF_RECIPE = ("budget", "weights", "loss", "validation")
"""Conditions in which rows may differ where each model has its published recipe."""

PROMPTS = "prompts"
"""Mark of a row of the class track with other class prompts than most rows."""

_SHOWN = 5  # subjects or images in a warning


def check_rows(rows: Sequence[LeaderboardRow]) -> tuple[list[LeaderboardRow], Mapping[str, Any]]:
    """Refuse the rows of a ranking group that are not comparable with the others.

    The conditions that most complete rows share are those of the ranking. Among equally many rows, the present metric
    version decides. Rows of the `class` track may have other class prompts: they are marked. In other tracks the
    texts are data, so other texts are refused. A row that is incomplete already stays as it is.

    Args:
        rows: The rows of one data set, text track and recipe.

    Returns:
        The same rows, refused ones with status and reason; and the conditions of the ranking.
    """
    complete = [row for row in rows if row.status == "ok"]
    published = any(row.recipe == "published" for row in rows)
    keys, recorded = ([key for key in kind if not (published and key in _OF_RECIPE)] for kind in (ALIKE, RECORDED))
    if any(row.recipe == MATCHED for row in rows):
        rates = _most_frequent([{"rates": row.rates} for row in complete]).get("rates")
        recorded += [*COMMON, *([] if rates == "tuned" else [RATE])]
    common = _most_frequent([{key: getattr(row, key) for key in keys} for row in complete])
    alike = [row for row in complete if all(getattr(row, key) == common[key] for key in keys)]
    if any(row.ended_early for row in alike) and not published:
        keys.append("stopping")  # the rule matters where it has ended a training
        common |= _most_frequent([{"stopping": row.stopping} for row in alike])
    readers = [row for row in alike if row.text_track != "none"]
    if str(common.get("tuning", "")).startswith("tuned"):
        recorded.remove("loss")  # the search has chosen it for each model
    for key in recorded:
        common |= _most_frequent([{key: getattr(row, key)} for row in alike if getattr(row, key)])
    common |= _most_frequent([{"prompt_hash": row.prompt_hash} for row in readers])
    return [_check_row(row, keys, recorded, common) if row.status == "ok" else row for row in rows], common


def _check_row(
    row: LeaderboardRow, keys: Sequence[str], recorded: Sequence[str], common: Mapping[str, Any]
) -> LeaderboardRow:
    prompts = row.text_track != "none" and row.prompt_hash != common.get("prompt_hash", row.prompt_hash)
    texts = ["prompt_hash"] if prompts and row.text_track != "class" else []
    reasons = list_differences(row, [*keys, *texts], recorded, common)
    if row.dice is None:
        reasons.append("no class in any case")
    if reasons:
        return replace(row, status="refused", reason=f"not comparable: {'; '.join(reasons)}")
    return row.with_mark(PROMPTS) if prompts else row


def list_differences(
    row: LeaderboardRow, keys: Sequence[str], recorded: Sequence[str], common: Mapping[str, Any]
) -> list[str]:
    """List the conditions in which a row differs from those of a ranking, each with both values.

    Args:
        row: The row.
        keys: The conditions that must agree.
        recorded: The conditions that must agree as far as they are recorded.
        common: The conditions of the ranking.
    """
    differing = [key for key in keys if getattr(row, key) != common[key]]
    differing += [key for key in recorded if _differs(getattr(row, key), common.get(key))]
    if {"cases_hash", "classes"} & {*differing}:  # then the labels differ too
        differing = [key for key in differing if key not in ("label_hash", "spacing_hash")]
    return [f"{key} {_shorten(getattr(row, key))}, not {_shorten(common[key])}" for key in differing]


def _differs(value: Any, common: Any) -> bool:
    """Whether a value that both have recorded is another one."""
    return bool(value) and bool(common) and value != common


def check_control(control: LeaderboardRow, common: Mapping[str, Any], leaking: bool) -> LeaderboardRow:
    """Add a note to a control that was computed on other cases or by another metric than the models.

    Args:
        control: The row of the control.
        common: The conditions of the ranking.
        leaking: Whether the models of its split have the mark `LEAK`.
    """
    keys = [key for key in _CONTROLS if getattr(control, key) not in ("", None)]
    other = [key for key in keys if getattr(control, key) != common.get(key, getattr(control, key))]
    other = [key for key in other if key != "label_hash" or "cases_hash" not in other]
    note = f"other {' and '.join(other)} than the models" if other else ""
    reason = "; ".join(filter(None, [control.reason, note]))
    return replace(control.with_mark(LEAK) if leaking else control, reason=reason)


def find_warnings(
    ranked: Sequence[LeaderboardRow], unranked: Sequence[LeaderboardRow], controls: Sequence[LeaderboardRow] = ()
) -> tuple[str, ...]:
    """Return what a reader of a ranking group must know although it refuses no row, one line per warning."""
    rows = [*ranked, *unranked]
    with_scores = [row for row in rows if row.sample]
    published = any(row.recipe == "published" for row in rows)
    lines = [
        _warn_of_leaks(rows),
        _warn_of_shared_images(controls),
        _warn(
            "the run has not recorded the subject of each case: each case counts as a subject of its own",
            [row for row in with_scores if row.sample and not row.sample.known],
        ),
        _warn(
            "the run has not recorded its label space: only the names of the classes are compared",
            [row for row in with_scores if not row.label_space],
        ),
        *_warn_of_no_text(rows),
        *(_warn_of_machine(key, with_scores) for key in MACHINE),
        _warn("a training ended before its budget", [row for row in with_scores if EARLY in row.mark]),
        _warn("an average of the weights was tested", [row for row in with_scores if AVERAGED in row.mark]),
        *_warn_of_contamination(with_scores),
        _warn(NO_SEALS, [row for row in with_scores if UNSEALED in row.mark]),
        _warn("other class prompts than the other rows", [row for row in ranked if PROMPTS in row.mark]),
        _warn(
            f"fewer than {FEWEST} subjects: no interval and no test",
            [row for row in with_scores if (row.subjects or 0) < FEWEST],
        ),
        *(_warn_of_recipe(key, ranked) for key in ("loss", "validation")),
        "each model has the budget of its own published recipe" if published else "",
        *describe_matched(ranked),
    ]
    return tuple(filter(None, lines))


def _warn_of_no_text(rows: Sequence[LeaderboardRow]) -> list[str]:
    """Say where the value over `no_text` is missing, or over fewer seeds, if any row of the group has one."""
    noted = [row for row in rows if row.over_no_text_note]
    if all(row.over_no_text_note == NO_ROW for row in noted):
        noted = noted if any(row.over_no_text is not None for row in rows) else []
    return [
        _warn(f"Over no_text: {note}", [row for row in noted if row.over_no_text_note == note])
        for note in sorted({row.over_no_text_note for row in noted})
    ]


def _warn_of_leaks(rows: Sequence[LeaderboardRow]) -> str:
    marked = [row for row in rows if LEAK in row.mark]
    leaks = {subject: splits for row in marked for subject, splits in row.leaks.items()}
    subjects = [f"{subject} ({' and '.join(splits)})" for subject, splits in sorted(leaks.items())]
    text = "the protocol has subjects in two or more splits, as its card declares"
    return _warn(text + (f": {list_some(subjects, most=_SHOWN)}" if leaks else ""), marked)


def _warn_of_contamination(rows: Sequence[LeaderboardRow]) -> list[str]:
    """Say which rows began with weights that have seen cases of the data set, and of which data sets these were."""
    marked = [row for row in rows if MARK in row.mark]
    named = sorted({row.pretrained_on for row in marked})
    text = "the initial weights have seen cases of the data set, so that the scores may be too high; seen:"
    return [_warn(f"{text} {seen}", [row for row in marked if row.pretrained_on == seen]) for seen in named]


def _warn_of_recipe(key: str, rows: Sequence[LeaderboardRow]) -> str:
    """Return in which loss or validation the ranked rows differ: as published or tuned, not by the method alone."""
    shown = _group_labels(key, rows)
    return f"the rows differ in {key}: {'; '.join(shown)}" if len(shown) > 1 else ""


def _warn_of_machine(key: str, rows: Sequence[LeaderboardRow]) -> str:
    found = _group_labels(key, rows)
    return f"the tests differ in {key}, which moves scores a little: {', '.join(found)}" if len(found) > 1 else ""


def _group_labels(key: str, rows: Sequence[LeaderboardRow]) -> list[str]:
    """Return each recorded value of a condition with the labels of its rows, sorted."""
    values: dict[str, list[str]] = {}
    for row in rows:
        for value in filter(None, getattr(row, key).split(" and ")):
            values.setdefault(value, []).append(row.label)
    return [f"{value} [{', '.join(sorted(labels))}]" for value, labels in sorted(values.items())]


def _warn_of_shared_images(controls: Sequence[LeaderboardRow]) -> str:
    found = list(dict.fromkeys(image for row in controls for image in row.shared_images))
    return f"two splits share images: {list_some(found, '; ', _SHOWN)}" if found else ""


def _warn(text: str, rows: Sequence[LeaderboardRow]) -> str:
    """Return the warning with the labels of its rows, or nothing where it concerns no row."""
    labels = sorted({row.label for row in rows})
    return f"{text} [{', '.join(labels)}]" if labels else ""


def _most_frequent(conditions: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return what most rows share; among equals the one of the present metric version, else the first when sorted."""
    counts = Counter(json.dumps(one, sort_keys=True) for one in conditions)
    if not counts:
        return {}
    order = {text: (-n, json.loads(text).get("metric_version") != METRIC_VERSION) for text, n in counts.items()}
    best: dict[str, Any] = json.loads(min(counts, key=lambda text: (*order[text], text)))
    return best


def _shorten(value: object) -> str:
    """Return the value as text, a hash by its first letters."""
    text = str(value) if value not in ("", None) else "(none)"
    return f"{text[:12]}..." if len(text) == 64 else text
