"""Statistics of a data set: cases, sizes, classes, captions, and how well the text alone predicts the masks."""

from __future__ import annotations

import math
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from datamodules.analysis.mean_shape import MEAN_SHAPE, TEXT_ONLY, score_mean_shapes
from datamodules.index.splits import SPLITS
from zoo.types import Case

if TYPE_CHECKING:
    from datamodules.bases.base import SegDataModule

MOST = 5
"""Number of most frequent captions that are listed per split."""


def describe_data(data: SegDataModule, progress: Callable[[Iterable[Case]], Iterable[Case]] = iter) -> dict[str, Any]:
    """Compute the statistics of a data set, as plain Python.

    Args:
        data: The data set; its cases are prepared if needed.
        progress: Wraps the cases while they are read, for a progress bar.

    Returns:
        `parts`: cases, subjects and empty masks per split. `shape` and `spacing`: least, middle and largest value per
        native axis. `classes`: per class, its share of all native voxels and the number of cases with it. If the data
        set has reports, also `captions` (see `describe_captions`) and `text alone`: the Dice on the test split of the
        mean shape of all training cases, and of the mean shape of the training cases with the same caption.
    """
    split = data.split
    found: dict[str, Any] = {"data": data.name, "title": data.card.title}
    found |= {"protocol": split.protocol, "split_hash": split.hash, "track": data.card.track}
    found["prompt_version"] = data.prompt_version
    names = data.labels.names
    split_of = {case_id: part for part in SPLITS for case_id in split.ids_of(part)}
    empty: Counter[str] = Counter()
    shapes, spacings = array("d"), array("d")
    voxels, present, total = np.zeros(len(names), np.int64), np.zeros(len(names), np.int64), 0
    for case in progress(data.cases.values()):
        prepared = data.prepared(case)
        data.prepared_cases.release_memory()
        native = prepared.native if prepared.native is not None else prepared.label
        if native is None:
            continue
        masks = native == 1 if not data.labels.exclusive else [native == number for number in range(1, len(names) + 1)]
        counts = np.array([int(np.count_nonzero(mask)) for mask in masks])
        empty[split_of.get(case.case_id, "")] += not counts.any()
        voxels += counts
        present += counts > 0
        space = native.shape[-data.card.spatial_dims :]
        total += int(np.prod(space))
        shapes.extend(space)
        spacings.extend(prepared.geometry.spacing)
    found["parts"] = {
        part: {
            "cases": len(data.index.cases_of(part)),
            "subjects": len({split.subjects[case_id] for case_id in split.ids_of(part)}),
            "empty masks": empty[part],
        }
        for part in SPLITS
    }
    dims = data.card.spatial_dims
    found["shape"] = _spread(np.reshape(shapes, (-1, dims)))
    found["spacing"] = {"unit": data.card.unit, **_spread(np.reshape(spacings, (-1, dims)))}
    found["classes"] = {
        name: {"share": round(float(count) / max(total, 1), 6), "cases": int(cases)}
        for name, count, cases in zip(names, voxels, present, strict=True)
    }
    if data.card.has_reports:
        reports = {part: [case.report or "" for case in data.index.cases_of(part)] for part in SPLITS}
        found["captions"] = describe_captions(reports)
        dice = score_mean_shapes(data)
        alone = {**dice, "gain": dice[TEXT_ONLY] - dice[MEAN_SHAPE]}
        found["text alone"] = {name: None if math.isnan(value) else round(value, 4) for name, value in alone.items()}
    return found


def describe_captions(reports: dict[str, list[str]]) -> dict[str, Any]:
    """Compute the statistics of the captions of each split.

    Args:
        reports: The captions by split, one per case.

    Returns:
        Per split: the number of captions (`cases`), of distinct ones, of cases whose caption another case of the split
        has too (`doubled`), and of empty ones; the least, middle and largest length in words and in characters; the
        most frequent captions with their counts. `all` has the same over all splits. `test in train` has the number of
        test cases whose caption a training case has too.
    """
    every = [text for texts in reports.values() for text in texts]
    found = {name: _describe_texts(texts) for name, texts in {**reports, "all": every}.items()}
    known = set(reports["train"])
    shared = sum(text in known for text in reports["test"])
    return {**found, "test in train": {"cases": shared, "of": len(reports["test"])}}


def _describe_texts(texts: Sequence[str]) -> dict[str, Any]:
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


def _spread(rows: ArrayLike) -> dict[str, list[float]]:
    """The least, middle and largest value per column."""
    table = np.asarray(rows, dtype=np.float64)
    spread = {"least": table.min(axis=0), "middle": np.median(table, axis=0), "largest": table.max(axis=0)}
    return {name: [round(float(value), 3) for value in values] for name, values in spread.items()}
