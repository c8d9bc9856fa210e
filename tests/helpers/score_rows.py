"""Rows of scores that tests write, read and compare, and a scene that is scored."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from zoo.metrics.case_scores import CaseScore
from zoo.metrics.definitions import METRIC_KEYS
from zoo.types import LabelSpace

Volume = NDArray[np.uint8]
ORGANS = LabelSpace(names=("liver", "spleen", "gallbladder", "aorta"), values=((1,), (2,), (3,), (4,)))
SPACING = (0.5, 1.0, 3.0)


def scene() -> tuple[Volume, Volume]:
    """Liver found (shifted by a voxel), spleen missed, gallbladder spurious, aorta absent."""
    mask, label = (np.zeros((10, 12, 8), np.uint8) for _ in range(2))
    label[1:5, 1:5, 1:5] = 1
    mask[1:5, 2:6, 1:5] = 1
    label[8, 8, 6] = 2
    mask[9, 11, 7] = 3
    return mask, label


def one_row(**changes: object) -> CaseScore:
    facts: dict[str, object] = dict.fromkeys(METRIC_KEYS, 0.5)
    facts |= {"case_id": "a", "label": "liver", "tp": 1, "fp": 1, "fn": 1, "unit": "mm", "status": "ok", "index": 1}
    return CaseScore(**(facts | changes))  # type: ignore[arg-type]


def same(first: CaseScore, second: CaseScore) -> bool:
    """Compare bit by bit, also NaN: `repr` is different for different floats."""
    return repr(first) == repr(second)
