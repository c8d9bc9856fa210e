"""Compare left and right in a caption with the side of the mask."""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

from datamodules.index.card import DataCard
from zoo.text.laterality import AXIS

ONE_SIDED = 0.9
"""A caption that names one side is wrong where more than this share of the mask is on the other side. The rest
allows for organs that cross the middle of a rotated patient."""

BOTH_SIDED = 0.995
"""A caption that names both sides is wrong where more than this share of the mask is on one side."""

_WORDS = {side: re.compile(rf"(?<![^\W\d_]){side}(?![^\W\d_])", re.IGNORECASE) for side in ("left", "right")}
_BOTH = re.compile(r"\bbilateral(ly)?\b", re.IGNORECASE)


def low_is_left(card: DataCard) -> bool | None:
    """Return whether "left" in the captions means the low half of the left-right axis; None where it is not known.

    In a picture, the left of the image is in the first columns, and the left of the patient is in the last columns.
    A volume is in RAS order, so that the left of the patient comes first. A volume has no left of the image. Its
    captions are checked only where they were written from the mask.
    """
    if card.spatial_dims == 2:
        return {"image": True, "patient": False}.get(card.laterality)
    return True if card.laterality == "patient" and card.track == "mask-derived" else None


def find_contradiction(report: str, mask: NDArray[np.bool_], card: DataCard) -> str:
    """Describe the contradiction between the side in a caption and the side of the mask; empty where there is none.

    Args:
        report: The caption.
        mask: [*S], the foreground of all classes, in RAS order or (H, W).
        card: The card of the data set.
    """
    low = low_is_left(card)
    named = {side for side, word in _WORDS.items() if word.search(report)}
    bilateral = bool(_BOTH.search(report))
    if low is None or not (bilateral or len(named) == 1):
        return ""
    share = _left_share(mask, AXIS[mask.ndim], low)
    if np.isnan(share):
        return ""
    side = "left" if share > 0.5 else "right"
    most = max(share, 1 - share)
    if bilateral and most > BOTH_SIDED:
        return f"the caption says bilateral, but {most:.0%} of the mask lies on the {side}"
    if not bilateral and named != {side} and most > ONE_SIDED:
        return f"the caption says {named.pop()}, but {most:.0%} of the mask lies on the {side}"
    return ""


def _left_share(mask: NDArray[np.bool_], axis: int, low: bool) -> float:
    """The share of a mask on the left; a middle row counts half. NaN for an empty mask."""
    along = mask.sum(axis=tuple(other for other in range(mask.ndim) if other != axis)).astype(float)
    half = len(along) // 2
    middle = along[half] / 2 if len(along) % 2 else 0.0
    if not along.sum():
        return float("nan")
    share = float((along[:half].sum() + middle) / along.sum())
    return share if low else 1 - share
