"""What a caption of lung findings says, its zones, and a caption of given zones.

The captions are those of QaTa-COV19, MosMedData+ and the chest phantom. No torch here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from zoo.text.lung_zones import LEVELS, SIDES, ZONES, zone_bits

Kind = Literal["infection", "lesions"]
KINDS: tuple[Kind, ...] = ("infection", "lesions")

COUNTS = ("no", "one", "two", "three", "four", "five", "six")

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


def write_caption(bits: tuple[int, ...], kind: Kind = "infection") -> str:
    """Write the caption of the zones with a bit of 1, in the order of `ZONES`; `read_caption` reads it.

    Example:
        >>> write_caption((1, 0, 0, 0, 1, 1))
        'Bilateral pulmonary infection, three infected areas, upper left lung and middle lower right lung.'
        >>> write_caption((0, 0, 0, 0, 0, 0))
        'No pulmonary infection, zero infected areas.'
    """
    zones = _group_zones(bits)
    if not zones:
        return "No target lesions." if kind == "lesions" else "No pulmonary infection, zero infected areas."
    return write_zones(zones, kind)


def write_zones(zones: Zones, kind: Kind) -> str:
    """Write zones, of which there is at least one, in the words of the data set."""
    if kind == "lesions":
        named = [f"the {side} {level} zone" for side, levels in zones.items() for level in levels]
        return f"Target lesions in {' and '.join(named)}."
    extent = "Bilateral" if len(zones) > 1 else "Unilateral"
    lungs = " and ".join(f"{' '.join(levels)} {side} lung" for side, levels in zones.items())
    return f"{extent} pulmonary infection, {count_areas(sum(map(len, zones.values())))}, {lungs}."


def count_areas(count: int) -> str:
    """Write a number of areas: "two infected areas"."""
    return f"{COUNTS[count]} infected area{'s' if count > 1 else ''}"
