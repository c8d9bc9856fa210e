"""What a data set holds, in figures."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from datamodules.splits import PARTS
from zoo.types import Case

if TYPE_CHECKING:
    from datamodules.base import SegDataModule


def describe(data: SegDataModule, progress: Callable[[Iterable[Case]], Iterable[Case]] = iter) -> dict[str, Any]:
    """Figures of a set, as plain Python.

    Args:
        data: The set; its cases are prepared where they are not.
        progress: Wraps the cases while they are read.

    Returns:
        Cases and subjects of each part; least, middle and largest native shape and spacing of each
        axis; each class's share of all native voxels and the cases it occurs in; captions: distinct
        ones and least, middle and largest number of words.
    """
    split = data.split
    facts: dict[str, Any] = {"data": data.name, "protocol": data.protocol, "track": data.about["track"]}
    for part in PARTS:
        ids = split.part(part)
        facts[part] = {"cases": len(ids), "subjects": len({split.subjects[case_id] for case_id in ids})}
    names = data.labels.names
    shapes, spacings, voxels, total = [], [], np.zeros((0, len(names))), 0
    for case in progress(data.cases.values()):
        prepared = data.prepared(case)
        native = prepared.native if prepared.native is not None else prepared.label
        if native is None:
            continue
        masks = native if not data.labels.exclusive else [native == number for number in range(1, len(names) + 1)]
        counts = [int(np.count_nonzero(mask)) for mask in masks]
        voxels = np.vstack([voxels, counts])
        space = native.shape[-data.about["spatial_dims"] :]
        total += int(np.prod(space))
        shapes.append(space)
        spacings.append(prepared.geometry.spacing)
    facts["shape"] = _spread(shapes)
    facts[f"spacing ({data.about['unit']})"] = _spread(spacings)
    facts["share of voxels"] = {
        name: f"{count / max(total, 1):.4%} in {int(present)} cases"
        for name, count, present in zip(names, voxels.sum(axis=0), (voxels > 0).sum(axis=0), strict=True)
    }
    if data.has_reports:
        reports = [case.report or "" for case in data.cases.values()]
        words = _spread([(len(report.split()),) for report in reports])
        facts["captions"] = {"distinct": len(set(reports)), **{f"words, {key}": v for key, v in words.items()}}
    return facts


def _spread(rows: Sequence[Sequence[float]]) -> dict[str, list[float]]:
    """Least, middle and largest value of each column."""
    table = np.asarray(rows, dtype=np.float64)
    of = {"least": table.min(axis=0), "middle": np.median(table, axis=0), "largest": table.max(axis=0)}
    return {name: [round(float(value), 3) for value in values] for name, values in of.items()}
