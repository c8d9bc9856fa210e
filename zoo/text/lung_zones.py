"""The lung zones in a caption: left and right, upper, middle and lower. No torch here."""

from __future__ import annotations

import re
from itertools import product

SIDES = ("left", "right")
LEVELS = ("upper", "middle", "lower")
ZONES = tuple(product(SIDES, LEVELS))
"""The six zones, in the order of the bits."""

_LEVEL_WORD = r"(?:(?:all|upper|middle|lower)\b[\s,]*(?:and\s+)?)"
_SIDE = r"\b(left|right|both)\s+"
# "middle lower right lung", "all left lung", "left lung"
_LEVEL_FIRST = re.compile(f"({_LEVEL_WORD}*)" + _SIDE + r"lungs?\b")
# "left upper zone", "right middle and lower lobes"
_SIDE_FIRST = re.compile(_SIDE + f"({_LEVEL_WORD}+)" + r"(?:lung\s+)?(?:zones?|lobes?|lungs?)\b")


def zone_bits(caption: str) -> tuple[int, ...]:
    """Six bits: 1 for each of the `ZONES` that a caption names; all 0 where it has no words for zones.

    A side without a level ("left lung") and "all" mean the whole side: some captions of the public data sets have lost
    their level.
    """
    words = caption.lower()
    named = [(side, levels) for levels, side in _LEVEL_FIRST.findall(words)]
    named += [(side, levels) for side, levels in _SIDE_FIRST.findall(words)]
    zones = {
        (one, level)
        for side, levels in named
        for one in (SIDES if side == "both" else (side,))
        for level in LEVELS
        if level in levels or "all" in levels or not levels.strip()
    }
    return tuple(int(zone in zones) for zone in ZONES)
