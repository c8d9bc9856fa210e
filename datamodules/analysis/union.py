"""The control of data sets with several queries per image: the union of all masks of the image answers every query.

It is what a model without text can reach at best, if it finds everything and cannot choose.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np

from datamodules.analysis.mean_shape import Mask, load_native_label
from zoo.types import Case, Geometry

if TYPE_CHECKING:
    from datamodules.bases.base import SegDataModule

UNION = "union"
"""Name of the control."""


def answer_with_unions(data: SegDataModule, split: str) -> Iterator[tuple[Case, Mask, Mask, Geometry]]:
    """Yield each query of a split with the union of all masks of its image, its own mask, and its geometry.

    The masks of an image are read twice, so that no more than two are in memory.

    Args:
        data: A data set with several queries per image and one mask per class.
        split: The split.

    Raises:
        DataError: A file does not fit the card, or a case has no label.
    """
    for _, found in groupby(data.index.cases_of(split), key=lambda case: case.case_id):
        queries = list(found)
        union, _ = load_native_label(data, queries[0], split)
        for case in queries[1:]:
            np.maximum(union, load_native_label(data, case, split)[0], out=union)
        for case in queries:
            yield case, union, *load_native_label(data, case, split)
