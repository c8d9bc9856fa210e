"""Left and right in a caption against the side on which the mask lies."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zoo.text.laterality import AXIS

ONE_SIDED = 0.9
"""A caption of one side is wrong where more than this share of the mask lies on the other one: organs that cross
the middle of a turned patient remain."""

BOTH_SIDED = 0.995
"""A caption of both sides is wrong where more than this share of the mask lies on one."""

_WORDS = {side: re.compile(rf"(?<![^\W\d_]){side}(?![^\W\d_])", re.IGNORECASE) for side in ("left", "right")}
_BOTH = re.compile(r"\bbilateral(ly)?\b", re.IGNORECASE)


def low_is_left(about: Mapping[str, Any]) -> bool | None:
    """Whether "left" in a set's captions is the low half of the left-right axis; None where it is not said.

    A picture is looked at: the image's left is its first columns, the patient's its last ones. A volume is in
    RAS order, so the patient's left comes first; a volume has no left of the image, and its captions are
    looked at only where they were written from the mask.
    """
    laterality = about.get("laterality")
    if about["spatial_dims"] == 2:
        return {"image": True, "patient": False}.get(str(laterality))
    return True if laterality == "patient" and about.get("track") == "mask-derived" else None


def contradiction(report: str, mask: NDArray[np.bool_], about: Mapping[str, Any]) -> str:
    """What a caption says of the side that its mask belies; empty where it may be true.

    Args:
        report: The caption.
        mask: [*S], the foreground of all classes, in RAS order or (H, W).
        about: The data card's: `laterality`, `spatial_dims`, `track`.
    """
    low = low_is_left(about)
    said = {side for side, word in _WORDS.items() if word.search(report)}
    bilateral = bool(_BOTH.search(report))
    if low is None or not (bilateral or len(said) == 1):
        return ""
    share = _left_share(mask, AXIS[mask.ndim], low)
    if np.isnan(share):
        return ""
    lies = "left" if share > 0.5 else "right"
    most = max(share, 1 - share)
    if bilateral and most > BOTH_SIDED:
        return f"the caption says bilateral, but {most:.0%} of the mask lies on the {lies}"
    if not bilateral and said != {lies} and most > ONE_SIDED:
        return f"the caption says {said.pop()}, but {most:.0%} of the mask lies on the {lies}"
    return ""


def _left_share(mask: NDArray[np.bool_], axis: int, low: bool) -> float:
    """The share of a mask on the left; a middle row counts half. NaN where the mask is empty."""
    along = mask.sum(axis=tuple(other for other in range(mask.ndim) if other != axis)).astype(float)
    half = len(along) // 2
    middle = along[half] / 2 if len(along) % 2 else 0.0
    if not along.sum():
        return float("nan")
    share = float((along[:half].sum() + middle) / along.sum())
    return share if low else 1 - share
