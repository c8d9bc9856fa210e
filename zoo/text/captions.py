"""What a caption of lung findings says: its zones.

The captions are those of QaTa-COV19, MosMedData+ and the chest phantom. No torch here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from zoo.text.lung_zones import LEVELS, SIDES, ZONES, zone_bits

Kind = Literal["infection", "lesions"]

_LEVELS = r"(?:(?:all|upper|middle|lower)\b[\s,]*(?:and\s+)?)*"
_LUNG = rf"{_LEVELS}\b(?:left|right|both)\s+lungs?"
_INFECTION = re.compile(
    rf"\s*(?:bilateral|unilateral)\s+pulmonary\s+infection\s*,?\s*\w+\s+infected\s+areas?\s*,?"
    rf"\s*{_LUNG}(?:\s*(?:,|\band\b)+\s*{_LUNG})*[\s.]*",
    re.IGNORECASE,
)
_NO_INFECTION = re.compile(r"\s*no\s+pulmonary\s+infection\s*,?\s*(?:zero|no)\s+infected\s+areas?[\s.]*", re.IGNORECASE)
_ZONE = r"(?:the\s+)?(?:left|right)\s+(?:upper|middle|lower)\s+zone"
_LESIONS = re.compile(rf"\s*target\s+lesions\s+in\s+{_ZONE}(?:\s+and\s+{_ZONE})*[\s.]*", re.IGNORECASE)

Zones = Mapping[str, tuple[str, ...]]
"""Side -> its levels, both in their order; a side without a finding is absent."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What a caption says.

    Attributes:
        kind: "infection" for the captions of QaTa-COV19 and MosMedData+, "lesions" for those of the chest phantom.
        zones: Side -> its levels; empty where the caption says that there is no infection.
    """

    kind: Kind
    zones: Zones


def read_caption(caption: str) -> Finding | None:
    """Read a caption; None where it has another form, so that its meaning is unknown.

    Example:
        >>> read_caption("Target lesions in the left lower zone.")
        Finding(kind='lesions', zones={'left': ('lower',)})
    """
    if _NO_INFECTION.fullmatch(caption):
        return Finding("infection", {})
    for kind, form in (("infection", _INFECTION), ("lesions", _LESIONS)):
        if form.fullmatch(caption):
            return Finding(kind, _group_zones(zone_bits(caption)))  # type: ignore[arg-type]
    return None


def _group_zones(bits: tuple[int, ...]) -> Zones:
    named = {zone for zone, bit in zip(ZONES, bits, strict=True) if bit}
    levels = {side: tuple(level for level in LEVELS if (side, level) in named) for side in SIDES}
    return {side: ones for side, ones in levels.items() if ones}
