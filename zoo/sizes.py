"""The sizes of models and data, in a module of their own: the help of a command needs no cards."""

from __future__ import annotations

from zoo.planner.presets import PRESETS

SIZES = ("tiny", "published")
"""The sizes of a card."""

PLANNED = "planned"
PLANNED_SIZES = (PLANNED, *(f"{PLANNED}-{preset}" for preset in PRESETS))
"""The sizes that the planner makes of the training cases: of the preset of the card, or of a named one."""


def card_size(size: str) -> str:
    """Return the size of the cards to which a size belongs: a plan changes the published size.

    Example:
        >>> card_size("planned-L"), card_size("tiny")
        ('published', 'tiny')
    """
    return "published" if size in PLANNED_SIZES else size
