"""Rules that rewrite a caption of lung findings: the same content in other words, less, more, or another side.

They answer what a trained model does with a text of another author. Each rule is a function of the caption alone. The
captions are those of QaTa-COV19, MosMedData+ and the chest phantom (`zoo.text.captions`). No torch here.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Sequence

from zoo.errors import NotApplicableError
from zoo.text.captions import COUNTS, Finding, count_areas, read_caption, write_zones
from zoo.text.lung_zones import LEVELS, SIDES

_SYNONYMS = {
    "infection": {
        "bilateral": "two-sided",
        "unilateral": "one-sided",
        "pulmonary": "lung",
        "infected": "affected",
        "area": "region",
        "areas": "regions",
        "upper": "superior",
        "middle": "central",
        "lower": "inferior",
        "all": "whole",
        "zero": "no",
    },
    "lesions": {
        "target": "wanted",
        "lesions": "nodules",
        "upper": "superior",
        "middle": "central",
        "lower": "inferior",
        "zone": "field",
    },
}
_DETAILS = {
    "infection": "The opacities are hazy with ill-defined borders, the heart is of normal size, and there is no "
    "pleural effusion.",
    "lesions": "They are nearly round and brighter than the tissue around them, and neither ribs nor heart are meant.",
}


def rewrite(caption: str, rule: str, seed: int = 0) -> str:
    """Rewrite a caption.

    Args:
        caption: The caption.
        rule: One of `REWRITES`.
        seed: Chooses the form of a paraphrase; the other rules do not use it.

    Raises:
        NotApplicableError: The caption has none of the forms that the rules know.

    Example:
        >>> rewrite("Unilateral pulmonary infection, one infected area, upper left lung.", "contradict")
        'Unilateral pulmonary infection, one infected area, upper right lung.'
    """
    finding = read_caption(caption)
    if finding is None:
        raise NotApplicableError(
            f"text '{rule}': the rules do not know the form of the caption '{caption}'.",
            "Leave out this text: the rules are for the captions of QaTa-COV19, MosMedData+ and the chest phantom.",
        )
    return _RULES[rule](caption, finding, seed)


def _paraphrase(caption: str, finding: Finding, seed: int) -> str:
    """The same zones in another sentence."""
    if not finding.zones:
        return "Neither lung is infected."
    places = [f"the {_name_levels(side, levels)}" for side, levels in finding.zones.items()]
    count = sum(map(len, finding.zones.values()))
    areas = f"{COUNTS[count]} area{'s' if count > 1 else ''}"
    where = _join(places)
    forms = {
        "infection": (
            f"The image shows {areas} of infection in {where}.",
            f"In {where} there {'is' if count == 1 else 'are'} {areas} with signs of COVID-19.",
            f"COVID-19 affects {areas}: {where}.",
        ),
        "lesions": (
            f"Segment the lesions of {where}.",
            f"The lesions to find lie in {where}.",
            f"In {where} there are lesions to segment.",
        ),
    }[finding.kind]
    return forms[zlib.crc32(f"{seed}:{caption}".encode()) % len(forms)]


def _exchange_words(caption: str, finding: Finding, seed: int) -> str:
    """The same sentence with synonyms; sides stay, because left and right have none."""
    others = _SYNONYMS[finding.kind]

    def exchange(found: re.Match[str]) -> str:
        word = found.group()
        other = others.get(word.lower(), word)
        return other.capitalize() if word[0].isupper() else other

    return re.sub(r"[A-Za-z]+", exchange, caption)


def _leave_out_sides(caption: str, finding: Finding, seed: int) -> str:
    """The levels of both sides together, without a side."""
    if not finding.zones:
        return caption
    levels = [level for level in LEVELS if any(level in ones for ones in finding.zones.values())]
    if finding.kind == "lesions":
        return f"Target lesions in {' and '.join(f'the {level} zone' for level in levels)}."
    count = sum(map(len, finding.zones.values()))
    return f"Pulmonary infection, {count_areas(count)}, {' '.join(levels)} lung."


def _leave_out_places(caption: str, finding: Finding, seed: int) -> str:
    """What is there and how often, without a side and without a level."""
    if finding.kind == "lesions":
        return "Target lesions."
    count = sum(map(len, finding.zones.values()))
    return f"Pulmonary infection, {count_areas(count)}." if count else caption


def _contradict_side(caption: str, finding: Finding, seed: int) -> str:
    """The zones of one side, said of the other side; nothing is said of the first.

    Where both sides have zones, those of the side with more of them are moved; of equal numbers, those of the left. The
    zones of the other side are left out. So the caption denies a side on which there is a finding.
    """
    zones = finding.zones or {"right": ("lower",)}
    denied = max(zones, key=lambda side: len(zones[side]))  # the first of equal ones: SIDES has the left first
    return write_zones({_opposite(denied): zones[denied]}, finding.kind)


def _describe_more(caption: str, finding: Finding, seed: int) -> str:
    """The caption, and details that change neither zones nor mask."""
    return f"{caption.rstrip(' .')}. {_DETAILS[finding.kind] if finding.zones else 'The heart is of normal size.'}"


def _describe_less(caption: str, finding: Finding, seed: int) -> str:
    """The sides alone, without levels and number."""
    sides = " and ".join(f"the {side} lung" for side in finding.zones)
    if finding.kind == "lesions":
        return f"Target lesions in {sides}."
    return f"Pulmonary infection in {sides}." if sides else "No pulmonary infection."


_RULES: dict[str, Callable[[str, Finding, int], str]] = {
    "paraphrase": _paraphrase,
    "synonym": _exchange_words,
    "missing_side": _leave_out_sides,
    "missing_location": _leave_out_places,
    "contradict": _contradict_side,
    "over_description": _describe_more,
    "under_description": _describe_less,
}

REWRITES = tuple(_RULES)
"""The names of the rules."""


def _name_levels(side: str, levels: Sequence[str]) -> str:
    """Name the zones of a side: "left upper and middle zones"."""
    return f"{side} {_join(levels)} zone{'s' if len(levels) > 1 else ''}"


def _join(words: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]]))


def _opposite(side: str) -> str:
    return SIDES[1 - SIDES.index(side)]
