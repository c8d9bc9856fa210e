"""Other conventions: the stored rows scored once more as others score, under a name that says how.

Tables in print mix conventions, and the same predictions have other numbers in each. What stands here makes a
number comparable with a published one; it ranks nothing. The mean is over the cases of a class, then over the
classes, then over the seeds, as everywhere.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

from benchmarks.leaderboard.leaderboard import Block
from benchmarks.leaderboard.row import Row
from benchmarks.storage.results import Scored
from benchmarks.tables.views import Cell, Sheet, fixed, spread, whole
from zoo.errors import RunError, UnknownNameError
from zoo.metrics.case_scores import CaseScore

Score = Callable[[CaseScore, Sequence[float] | None], float | None]
"""A row and its voxel's size to its score; None where the convention leaves the row out."""

_ISOTROPIC = 1e-3  # relative: files keep their spacing in single precision


@dataclass(frozen=True, slots=True)
class Protocol:
    """One convention.

    Attributes:
        about: What it is, and whose.
        metric: Head of its column.
        score: Of one row; None where counts are pooled.
        pooled: From tp, fp and fn summed over the cases of a class; None where rows are scored one by one.
        lower_is_better: Whether it is a distance.
    """

    about: str
    metric: str
    score: Score | None = None
    pooled: Callable[[int, int, int], float | None] | None = None
    lower_is_better: bool = False


@dataclass(frozen=True, slots=True)
class Rescored:
    """A row in another convention.

    Attributes:
        label: The row, as it is printed.
        value: Mean over seeds; None where there is none.
        std: Over seeds (ddof 1); None for one.
        scored: (case, class) pairs that entered, of all seeds.
        dropped: Pairs that the convention left out.
        reason: Why there is no value.
    """

    label: str
    value: float | None
    std: float | None
    scored: int
    dropped: int
    reason: str = ""


def dice(tp: int, fp: int, fn: int) -> float | None:
    """2 tp / (2 tp + fp + fn); None of nothing."""
    return 2 * tp / (2 * tp + fp + fn) if tp + fp + fn else None


def iou(tp: int, fp: int, fn: int) -> float | None:
    """Tp / (tp + fp + fn), Jaccard's index; None of nothing."""
    return tp / (tp + fp + fn) if tp + fp + fn else None


def _foreground(row: CaseScore, _: Sequence[float] | None) -> float | None:
    return row.dice if row.tp + row.fn else None


def _empty_is_one(row: CaseScore, _: Sequence[float] | None) -> float | None:
    return 1.0 if row.status == "absent" else row.dice


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


def _voxel(row: CaseScore, spacing: Sequence[float] | None) -> float:
    """The side of a voxel, for rows of an older version, which do not hold distances in voxels."""
    if row.unit == "px":
        return 1.0
    if not spacing:
        raise RunError(f"the spacing of case {row.case_id} was not recorded; run `zoo test` again")
    if max(spacing) - min(spacing) > _ISOTROPIC * max(spacing):
        sides = " x ".join(f"{size:g}" for size in spacing)
        raise RunError(f"case {row.case_id} has voxels of {sides} mm, its distances in voxels were not kept")
    return fmean(spacing)


PROTOCOLS: Mapping[str, Protocol] = {
    "dice-global": Protocol("tp, fp and fn summed over the cases of a class, then Dice", "Dice", pooled=dice),
    "iou-global": Protocol("tp, fp and fn summed over the cases of a class, then Jaccard's index", "IoU", pooled=iou),
    "dice-per-image-foreground-only": Protocol(
        "mean Dice of the cases whose label has the class: false alarms elsewhere do not count", "Dice", _foreground
    ),
    "dice-empty-is-one": Protocol(
        "mean Dice of all cases: 1 where the class is neither there nor found", "Dice", _empty_is_one
    ),
    "iou-per-image": Protocol("mean Jaccard index of the cases where the class is there or found", "IoU", _iou),
    "hd95-drop-missed": Protocol(
        "mean HD95 of the objects that were found: missed and spurious ones left out", "HD95", _found, None, True
    ),
    "hd95-px-drop-missed": Protocol(
        "mean HD95 in voxels of the objects that were found: missed and spurious ones left out",
        "HD95 (voxels)",
        _in_voxels,
        None,
        True,
    ),
    "hd95-pooled-px-drop-missed": Protocol(
        "mean of the 95th percentile of both directions together, in voxels, of the objects that were found",
        "HD95 (voxels)",
        _pooled_in_voxels,
        None,
        True,
    ),
}
"""The conventions by name."""


def protocol_of(name: str) -> Protocol:
    """A convention by its name.

    Raises:
        UnknownNameError: There is none.
    """
    if name not in PROTOCOLS:
        raise UnknownNameError("protocol", name, PROTOCOLS, "zoo bench table --help")
    return PROTOCOLS[name]


def rescore(protocol: Protocol, test: Scored) -> tuple[float | None, int, int]:
    """One test in another convention.

    Args:
        protocol: The convention.
        test: The rows, with what was recorded of them.

    Returns:
        The mean over cases, then classes (None where nothing is scored), pairs scored, pairs left out.

    Raises:
        RunError: The rows do not hold what the convention needs; the message is the reason, without a file.
    """
    by_class: dict[str, list[CaseScore]] = {}
    for row in test.rows:
        by_class.setdefault(row.label, []).append(row)
    spacing = test.about.get("spacing", {})
    means, scored = [], 0
    for rows in by_class.values():
        if protocol.pooled is not None:
            value = protocol.pooled(*(sum(getattr(row, key) for row in rows) for key in ("tp", "fp", "fn")))
            known = [row for row in rows if row.status != "absent"]
            means += [] if value is None else [value]
            scored += len(known)
        elif protocol.score is not None:
            values = _known(protocol.score(row, spacing.get(row.case_id)) for row in rows)
            means += [math.fsum(values) / len(values)] if values else []
            scored += len(values)
    return (math.fsum(means) / len(means) if means else None), scored, len(test.rows) - scored


def _known(values: Iterable[float | None]) -> list[float]:
    return [value for value in values if value is not None]


def rescore_row(protocol: Protocol, row: Row) -> Rescored:
    """A row of a table in another convention; an incomplete one has no value."""
    if not row.scored:
        return Rescored(row.label, None, None, 0, 0, row.reason or "no rows of cases")
    try:
        found = [rescore(protocol, test) for test in row.scored]
    except RunError as error:
        return Rescored(row.label, None, None, 0, 0, str(error))
    values = _known(value for value, _, _ in found)
    counts = sum(scored for _, scored, _ in found), sum(dropped for _, _, dropped in found)
    if len(values) < len(found):
        return Rescored(row.label, None, None, *counts, "a seed has nothing that this convention scores")
    return Rescored(row.label, fmean(values), stdev(values) if len(values) > 1 else None, *counts)


def protocol_sheet(block: Block, name: str) -> Sheet:
    """A block in another convention: the rows in the leaderboard's order, none of them ranked.

    Raises:
        UnknownNameError: There is no such convention.
    """
    protocol = protocol_of(name)
    digits = 2 if protocol.lower_is_better else 3
    found = {id(row): rescore_row(protocol, row) for row in block.rows}

    def line(row: Row) -> tuple[Cell, ...]:
        one = found[id(row)]
        value = spread(one.value, one.std, digits)
        counts = (whole(one.scored), whole(one.dropped)) if row.scored else ("", "")
        return tuple(map(Cell, (row.label, row.encoder, row.text_track, fixed(row.dice, 3), value, *counts)))

    reasons = tuple(f"{one.label}: {one.reason}" for one in found.values() if one.reason)
    about = f"Convention {name}: {protocol.about}; over the classes, then the seeds. Dice (ours) as in the leaderboard"
    notes = [("Convention", (about,)), *([("Notes", reasons)] if reasons else [])]
    return Sheet(
        f"{block.title}: {name}",
        f"{block.title}: {protocol.metric} by the convention {name}, not comparable with the leaderboard.",
        ("Model", "Encoder", "Text", "Dice (ours)", protocol.metric, "Scored", "Left out"),
        3,
        tuple(tuple(map(line, part)) for part in block.parts),
        frozenset(row.label for row in block.controls),
        tuple(notes),
    )
