"""Other conventions: the stored scores are computed again by the convention of another paper.

Published tables mix conventions, and the same predictions have other numbers in each convention. A table of this
module makes a number comparable with a published one, and it ranks nothing. The mean is over the cases of a class,
then over the classes, then over the seeds, as in the leaderboard.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass, fields, replace
from statistics import fmean, stdev

from benchmarks.leaderboard.leaderboard import Leaderboard, RankingGroup
from benchmarks.leaderboard.row import LeaderboardRow
from benchmarks.storage.results import TestScores
from benchmarks.tables.column import Column
from benchmarks.tables.columns import OF_ROW, find_columns
from benchmarks.tables.latex import latex_tables
from benchmarks.tables.views import TableView, make_lines
from benchmarks.tables.writers import csv_text, json_text, markdown_table, name_row
from zoo.errors import RunError, UnknownNameError
from zoo.metrics.case_scores import CaseScore
from zoo.metrics.definitions import SURFACE_DISTANCE, dice_of_counts, iou_of_counts

Score = Callable[[CaseScore, Sequence[float] | None], float | None]
"""A row and the size of its voxels to its score; None where the convention leaves the row out."""

_ISOTROPIC = 1e-3  # relative: files keep their spacing in single precision


@dataclass(frozen=True, slots=True)
class Convention:
    """One convention.

    Attributes:
        about: What the convention is.
        metric: Title of its column.
        score: Computes the score of one row; None where counts are pooled.
        pooled: Computes the score of a class from tp, fp and fn summed over its cases; None where each row has a score.
        distance: Whether the score is a distance.
        per_case: Whether the mean is over the classes of a case, then over the cases; else over cases, then classes.
    """

    about: str
    metric: str
    score: Score | None = None
    pooled: Callable[[int, int, int], float | None] | None = None
    distance: bool = False
    per_case: bool = False


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


def dice(tp: int, fp: int, fn: int) -> float | None:
    """Return 2 tp / (2 tp + fp + fn); None where all counts are 0."""
    return dice_of_counts(tp, fp, fn) if tp + fp + fn else None


def iou(tp: int, fp: int, fn: int) -> float | None:
    """Return tp / (tp + fp + fn), the Jaccard index; None where all counts are 0."""
    return iou_of_counts(tp, fp, fn) if tp + fp + fn else None


def _foreground(row: CaseScore, _: Sequence[float] | None) -> float | None:
    return row.dice if row.tp + row.fn else None


def _empty_is_one(row: CaseScore, _: Sequence[float] | None) -> float | None:
    return 1.0 if row.status == "absent" else row.dice


def _hit(threshold: float) -> Score:
    return lambda row, _: float(row.status == "absent" or row.dice >= threshold)


def _iou(row: CaseScore, _: Sequence[float] | None) -> float | None:
    return iou(row.tp, row.fp, row.fn)


def _found(row: CaseScore, _: Sequence[float] | None) -> float | None:
    return row.hd95 if row.status == "ok" else None


def _in_voxels(row: CaseScore, spacing: Sequence[float] | None) -> float | None:
    if row.status != "ok":
        return None
    return row.hd95 / _voxel(row, spacing) if math.isnan(row.hd95_voxels) else row.hd95_voxels


def _pooled_in_voxels(row: CaseScore, spacing: Sequence[float] | None) -> float | None:
    if row.status != "ok":
        return None
    return row.hd95_pooled / _voxel(row, spacing) if math.isnan(row.hd95_pooled_voxels) else row.hd95_pooled_voxels


def _by_surfels(row: CaseScore, _: Sequence[float] | None) -> float | None:
    return _surfels(row, row.hd95_surfels) if row.status == "ok" else None


def _nsd_by_surfels(row: CaseScore, _: Sequence[float] | None) -> float | None:
    return _surfels(row, row.nsd_surfels) if row.status != "absent" else None


def _surfels(row: CaseScore, value: float) -> float:
    """Return a score in the convention of surface-distance, which a test computes on request."""
    if math.isnan(value):
        raise RunError(
            f"case {row.case_id} was not scored by {SURFACE_DISTANCE}; run `zoo test` or `zoo score` again with "
            f"`--convention {SURFACE_DISTANCE}`"
        )
    return value


def _voxel(row: CaseScore, spacing: Sequence[float] | None) -> float:
    """Return the side of a voxel, for rows of an older version without distances in voxels."""
    if row.unit == "px":
        return 1.0
    if not spacing:
        raise RunError(f"the spacing of case {row.case_id} was not recorded; run `zoo test` again")
    if max(spacing) - min(spacing) > _ISOTROPIC * max(spacing):
        sides = " x ".join(f"{size:g}" for size in spacing)
        raise RunError(f"case {row.case_id} has voxels of {sides} mm and no recorded distances in voxels")
    return fmean(spacing)


CONVENTIONS: Mapping[str, Convention] = {
    "dice-global": Convention("tp, fp and fn summed over the cases of a class, then Dice", "Dice", pooled=dice),
    "iou-global": Convention(
        "tp, fp and fn summed over the cases of a class, then the Jaccard index", "IoU", pooled=iou
    ),
    "dice-per-image-foreground-only": Convention(
        "mean Dice of the cases whose label has the class: false positives elsewhere do not count", "Dice", _foreground
    ),
    "dice-empty-is-one": Convention(
        "mean Dice of all cases: 1 where the class is neither in the label nor in the prediction", "Dice", _empty_is_one
    ),
    "dice-per-case-foreground-only": Convention(
        "mean Dice over the classes in the label of a case, then over the cases (CVPR25-BiomedSegFM)",
        "Dice",
        _foreground,
        per_case=True,
    ),
    "hit-0.1": Convention(
        "share of the queries with a Dice of 0.1 or more, or without object and prediction (ReXGroundingCT)",
        "Hit rate",
        _hit(0.1),
    ),
    "hit-0.05": Convention(
        "share of the queries with a Dice of 0.05 or more, or without object and prediction (VoxTell)",
        "Hit rate",
        _hit(0.05),
    ),
    "iou-per-image": Convention(
        "mean Jaccard index of the cases with the class in the label or in the prediction", "IoU", _iou
    ),
    "hd95-drop-missed": Convention(
        "mean HD95 of the objects that were found, without missed and spurious objects", "HD95", _found, None, True
    ),
    "hd95-px-drop-missed": Convention(
        "mean HD95 in voxels of the objects that were found, without missed and spurious objects",
        "HD95 (voxels)",
        _in_voxels,
        None,
        True,
    ),
    "hd95-pooled-px-drop-missed": Convention(
        "mean of the 95th percentile of both directions together, in voxels, of the objects that were found",
        "HD95 (voxels)",
        _pooled_in_voxels,
        None,
        True,
    ),
    "hd95-surface-distance-drop-missed": Convention(
        "mean HD95 of DeepMind's surface-distance (corners of voxels, weighed by area) of the objects that were found",
        "HD95",
        _by_surfels,
        None,
        True,
    ),
    "nsd-surface-distance": Convention(
        "mean surface Dice of DeepMind's surface-distance at the tolerance of the data set, 0 for missed and spurious "
        "objects",
        "NSD",
        _nsd_by_surfels,
    ),
}
"""The conventions by name."""


def find_convention(name: str) -> Convention:
    """Return a convention by its name.

    Raises:
        UnknownNameError: There is no such convention.
    """
    if name not in CONVENTIONS:
        raise UnknownNameError("protocol", name, CONVENTIONS, "zoo bench table --help")
    return CONVENTIONS[name]


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
    about = (
        f"Convention {name}: {convention.about}; over the classes, then the seeds. Dice (ours) as in the leaderboard"
    )
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
