"""What a data set holds, in figures."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from datamodules.analysis.mean_shape import MEAN_SHAPE, TEXT_ONLY, prior_dice
from datamodules.index.splits import PARTS
from zoo.types import Case

if TYPE_CHECKING:
    from datamodules.bases.base import SegDataModule

MOST = 5
"""So many of the most frequent captions of a part are shown."""


def describe(data: SegDataModule, progress: Callable[[Iterable[Case]], Iterable[Case]] = iter) -> dict[str, Any]:
    """Figures of a set, as plain Python.

    Args:
        data: The set; its cases are prepared where they are not.
        progress: Wraps the cases while they are read.

    Returns:
        `parts`: cases, subjects and empty masks of each; `shape` and `spacing`: least, middle and largest of
        each native axis; `classes`: each one's share of all native voxels and the cases it occurs in. Where
        the set has reports, `captions` (see `describe_captions`) and `text alone`: the Dice on the test part of
        the mean training shape, and of the mean shape of the training cases with the same caption.
    """
    split = data.split
    facts: dict[str, Any] = {"data": data.name, "title": data.card.title}
    facts |= {"protocol": split.protocol, "split_hash": split.hash, "track": data.card.track}
    facts["prompt_version"] = data.prompt_version
    names = data.labels.names
    part_of = {case_id: part for part in PARTS for case_id in split.part(part)}
    empty: Counter[str] = Counter()
    shapes, spacings, voxels, total = [], [], np.zeros((0, len(names))), 0
    for case in progress(data.cases.values()):
        prepared = data.prepared(case)
        native = prepared.native if prepared.native is not None else prepared.label
        if native is None:
            continue
        masks = native if not data.labels.exclusive else [native == number for number in range(1, len(names) + 1)]
        counts = [int(np.count_nonzero(mask)) for mask in masks]
        empty[part_of.get(case.case_id, "")] += not any(counts)
        voxels = np.vstack([voxels, counts])
        space = native.shape[-data.card.spatial_dims :]
        total += int(np.prod(space))
        shapes.append(space)
        spacings.append(prepared.geometry.spacing)
    facts["parts"] = {
        part: {
            "cases": len(data.index.cases_of(part)),
            "subjects": len({split.subjects[case_id] for case_id in split.part(part)}),
            "empty masks": empty[part],
        }
        for part in PARTS
    }
    facts["shape"] = _spread(shapes)
    facts["spacing"] = {"unit": data.card.unit, **_spread(spacings)}
    facts["classes"] = {
        name: {"share": round(count / max(total, 1), 6), "cases": int(present)}
        for name, count, present in zip(names, voxels.sum(axis=0), (voxels > 0).sum(axis=0), strict=True)
    }
    if data.card.has_reports:
        reports = {part: [case.report or "" for case in data.index.cases_of(part)] for part in PARTS}
        facts["captions"] = describe_captions(reports)
        dice = prior_dice(data)
        alone = {**dice, "gain": dice[TEXT_ONLY] - dice[MEAN_SHAPE]}
        facts["text alone"] = {name: None if math.isnan(value) else round(value, 4) for name, value in alone.items()}
    return facts


def describe_captions(reports: dict[str, list[str]]) -> dict[str, Any]:
    """Figures of the captions of each part.

    Args:
        reports: Part to its captions, one a case.

    Returns:
        For each part their number, how many are distinct, how many cases share theirs with another of the part
        (`doubled`), how many are empty, least, middle and largest length in words and in characters, and the
        most frequent with their counts; under `all` the same over all; `test in train`: test cases whose
        caption a training case has too.
    """
    every = [text for texts in reports.values() for text in texts]
    found = {name: _of_captions(texts) for name, texts in {**reports, "all": every}.items()}
    known = set(reports["train"])
    seen = sum(text in known for text in reports["test"])
    return {**found, "test in train": {"cases": seen, "of": len(reports["test"])}}


def _of_captions(texts: Sequence[str]) -> dict[str, Any]:
    counts = Counter(texts)
    return {
        "cases": len(texts),
        "distinct": len(counts),
        "doubled": sum(count for count in counts.values() if count > 1),
        "empty": sum(not text.strip() for text in texts),
        "words": _lengths([len(text.split()) for text in texts]),
        "characters": _lengths([len(text) for text in texts]),
        "most frequent": [{"count": count, "caption": text} for text, count in counts.most_common(MOST)],
    }


def _lengths(numbers: Sequence[int]) -> dict[str, float]:
    return {name: value for name, (value,) in _spread([(number,) for number in numbers]).items()}


def _spread(rows: Sequence[Sequence[float]]) -> dict[str, list[float]]:
    """Least, middle and largest value of each column."""
    table = np.asarray(rows, dtype=np.float64)
    of = {"least": table.min(axis=0), "middle": np.median(table, axis=0), "largest": table.max(axis=0)}
    return {name: [round(float(value), 3) for value in values] for name, values in of.items()}
