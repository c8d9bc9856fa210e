"""What the rows of a matched comparison have in common, where each method differs, and which rows have another size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from statistics import median

from benchmarks.leaderboard.row import LeaderboardRow
from benchmarks.plan.job import MATCHED
from zoo.cards import ModelCard
from zoo.registry import MODELS

COMMON = ("vision", "norm", "optimiser", "augment", "rates")
"""Conditions of a matched comparison beside those of every comparison."""

RATE = "lr"
"""A further condition where the rate is common."""

OTHER_SIZE = "other-size"
"""Mark of a row that is not called equal in size."""

TOLERANCE = 0.1
"""The largest difference of the trainable parameters to their median, as a share of it, of a row of equal size."""


def mark_sizes(rows: Sequence[LeaderboardRow]) -> list[LeaderboardRow]:
    """Mark the ranked rows of a matched comparison whose trainable parameters differ from their median.

    Args:
        rows: The rows of one group.
    """
    counts = [row.params_trainable for row in rows if _counts(row)]
    middle = median(count for count in counts if count) if counts else 0
    return [_mark_size(row, middle) if _counts(row) else row for row in rows]


def _counts(row: LeaderboardRow) -> bool:
    return row.recipe == MATCHED and row.status == "ok" and bool(row.params_trainable)


def _mark_size(row: LeaderboardRow, middle: float) -> LeaderboardRow:
    count = row.params_trainable or 0
    share = round(count / middle - 1, 9)  # 121 is 10 % above 110, and not more
    if abs(share) <= TOLERANCE:
        return row
    note = f"not equal in size: {count / 1e6:.2f} M trainable parameters, {share:+.0%} against the median of the rows"
    return replace(row.with_mark(OTHER_SIZE), reason="; ".join(filter(None, [row.reason, note])))


def describe_matched(rows: Sequence[LeaderboardRow]) -> list[str]:
    """Describe what matched rows have in common, and where their methods differ; nothing for other rows.

    Args:
        rows: The ranked rows of one group.
    """
    rows = [row for row in rows if row.recipe == MATCHED]
    if not rows:
        return []
    first = rows[0]
    rate = "each model has its own learning rate" if first.rates == "tuned" else f"learning rate {first.lr}"
    values = {"vision network": first.vision, "optimiser AdamW": first.optimiser, "loss": first.loss}
    values |= {"augmentation": first.augment}
    shared = "; ".join([*(f"{name}: {value}" for name, value in values.items() if value), rate])
    sources: dict[str, list[str]] = {}
    for row in rows:
        sources.setdefault(row.rate_source, []).append(row.label)
    own = [f"the rate is {source} [{', '.join(sorted(one))}]" for source, one in sorted(sources.items()) if source]
    return [f"matched: {shared}", *own, *_describe_decoders(rows), *_describe_terms(rows)]


def _describe_decoders(rows: Sequence[LeaderboardRow]) -> list[str]:
    found: dict[str, list[str]] = {}
    for row in rows:
        if row.params_decoder is not None:
            found.setdefault(f"{row.params_decoder / 1e6:.2f} M", []).append(row.label)
    if len(found) < 2:
        return []
    shown = ", ".join(f"{size} [{', '.join(sorted(labels))}]" for size, labels in sorted(found.items()))
    return [f"the decoder belongs to the method and is not matched; its parameters: {shown}"]


def _describe_terms(rows: Sequence[LeaderboardRow]) -> list[str]:
    found = []
    for row in rows:
        card = MODELS.get(row.model) if row.model in MODELS else None
        terms = ModelCard.of(card).own_term if card else ()
        found += [f"{row.label}: {', '.join(terms)}"] if terms else []
    return [f"loss terms of the method, beside the common loss: {'; '.join(sorted(found))}"] if found else []
