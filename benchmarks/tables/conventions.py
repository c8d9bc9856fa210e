"""Other conventions: the stored scores are computed again by the convention of another paper.

Published tables mix conventions, and the same predictions have other numbers in each convention. A table of this
module makes a number comparable with a published one, and it ranks nothing. The mean is over the cases of a class,
then over the classes, then over the seeds, as in the leaderboard.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import astuple, dataclass, fields, replace
from statistics import fmean, stdev

from benchmarks.leaderboard.leaderboard import Leaderboard, RankingGroup
from benchmarks.leaderboard.row import LeaderboardRow
from benchmarks.storage.results import TestScores
from benchmarks.tables.column import Column
from benchmarks.tables.columns import OF_ROW, find_columns
from benchmarks.tables.convention_rules import CONVENTIONS, Convention, find_convention
from benchmarks.tables.latex import latex_tables
from benchmarks.tables.views import TableView, make_lines
from benchmarks.tables.writers import csv_text, json_text, markdown_table, name_row
from zoo.errors import RunError
from zoo.metrics.case_scores import CaseScore

__all__ = ["CONVENTIONS", "Convention", "Rescored", "find_convention", "rescore", "rescore_row", "write_convention"]


@dataclass(frozen=True, slots=True)
class Rescored:
    """A row in another convention.

    Attributes:
        label: The label of the row.
        value: Mean over the seeds; None where there is none.
        std: Standard deviation over the seeds (ddof 1); None for one seed.
        scored: Number of (case, class) pairs of all seeds that enter the mean.
        dropped: Number of pairs that the convention leaves out.
        reason: Why there is no value.
    """

    label: str
    value: float | None
    std: float | None
    scored: int
    dropped: int
    reason: str = ""


def rescore(convention: Convention, test: TestScores) -> tuple[float | None, int, int]:
    """Score one test by another convention.

    Args:
        convention: The convention.
        test: The rows, and in `about` the spacing.

    Returns:
        The mean in the order of the convention (None where nothing is scored), pairs scored, pairs left out.

    Raises:
        RunError: The rows do not hold what the convention needs; the message is the reason, without a file.
    """
    if convention.mean is not None:
        reason = convention.mean.find_reason(test.rows, test.about)
        if reason:
            raise RunError(reason)
        entering = sum(map(convention.mean.scored, test.rows))
        return convention.mean.compute(test.rows), entering, len(test.rows) - entering
    groups: dict[str, list[CaseScore]] = {}
    for row in test.rows:
        groups.setdefault(row.case_id if convention.per_case else row.label, []).append(row)
    spacing = test.about.get("spacing", {})
    means, scored = [], 0
    for rows in groups.values():
        if convention.pooled is not None:
            value = convention.pooled(*(sum(getattr(row, key) for row in rows) for key in ("tp", "fp", "fn")))
            known = [row for row in rows if row.status != "absent"]
            means += [] if value is None else [value]
            scored += len(known)
        elif convention.score is not None:
            values = _known(convention.score(row, spacing.get(row.case_id)) for row in rows)
            means += [math.fsum(values) / len(values)] if values else []
            scored += len(values)
    return (math.fsum(means) / len(means) if means else None), scored, len(test.rows) - scored


def _known(values: Iterable[float | None]) -> list[float]:
    return [value for value in values if value is not None]


def rescore_row(convention: Convention, row: LeaderboardRow) -> Rescored:
    """Score a row by another convention; a row without scores has no value."""
    if not row.true_tests:
        return Rescored(row.label, None, None, 0, 0, row.reason or "no scores of cases")
    try:
        found = [rescore(convention, test) for test in row.true_tests]
    except RunError as error:
        return Rescored(row.label, None, None, 0, 0, str(error))
    values = _known(value for value, _, _ in found)
    counts = sum(scored for _, scored, _ in found), sum(dropped for _, _, dropped in found)
    if len(values) < len(found):
        return Rescored(row.label, None, None, *counts, "a seed has no score in this convention")
    reason = row.reason if row.status in ("incomplete", "refused") else ""
    return Rescored(row.label, fmean(values), stdev(values) if len(values) > 1 else None, *counts, reason)


def write_convention(leaderboard: Leaderboard, form: str, name: str) -> str:
    """Write the leaderboard in another convention, which the table names.

    Args:
        leaderboard: The leaderboard.
        form: "md", "latex", "csv" or "json".
        name: One of `CONVENTIONS`.

    Raises:
        UnknownNameError: There is no such convention.
    """
    if form in ("md", "latex"):
        views = [convention_view(group, name) for group in leaderboard.groups]
        return "\n\n".join(map(markdown_table, views)) + "\n" if form == "md" else latex_tables(views)
    convention = find_convention(name)
    keys = ["protocol", *OF_ROW, *(field.name for field in fields(Rescored))]
    lines = [[name, *name_row(row), *astuple(rescore_row(convention, row))] for row in leaderboard.rows]
    if form == "csv":
        return csv_text(keys, lines)
    rows = [dict(zip(keys, line, strict=True)) for line in lines]
    return json_text({"protocol": name, "about": convention.about, "rows": rows})


def convention_view(group: RankingGroup, name: str) -> TableView:
    """Make the table of a group in another convention: the rows in the order of the leaderboard, without ranks.

    Raises:
        UnknownNameError: There is no such convention.
    """
    convention = find_convention(name)
    found = {row: rescore_row(convention, row) for row in group.rows}
    encoder, text, dice = find_columns("encoder", "text_track", "dice")
    columns: tuple[Column[LeaderboardRow], ...] = (
        encoder,
        text,
        replace(dice, title="Dice (ours)", std=None),
        Column(
            key="value",
            title=convention.metric,
            digits=2 if convention.distance else 3,
            get=lambda row: found[row].value,
            std=lambda row: found[row].std,
        ),
        Column(key="scored", title="Scored", get=lambda row: found[row].scored if row.true_tests else None),
        Column(key="dropped", title="Left out", get=lambda row: found[row].dropped if row.true_tests else None),
    )
    reasons = tuple(f"{one.label}: {one.reason}" for one in found.values() if one.reason)
    order = "over the seeds" if convention.mean or convention.per_case else "over the classes, then the seeds"
    about = f"Convention {name}: {convention.about}; {order}. Dice (ours) as in the leaderboard"
    return TableView(
        title=f"{group.title}: {name}",
        caption=f"{group.title}: {convention.metric} by the convention {name}, not comparable with the leaderboard.",
        corner="Model",
        columns=columns,
        groups=tuple(
            ("", make_lines(columns, section, lambda row: row.label, lambda row: row.status))
            for section in group.sections
        ),
        notes=(("Convention", (about,)), *([("Notes", reasons)] if reasons else [])),
    )
