"""Data sets whose listing names the files of each case, so that `zoo data prepare --cases N` can get some of them."""

from __future__ import annotations

from functools import partial

from datamodules.acquire.collect import Choice
from datamodules.files import rex_listing
from datamodules.index.card import DataCard

_CHOICES = {"rexgroundingct": rex_listing.choose_files}
"""Folder of a data set -> the function that chooses its files."""


def find_choice(card: DataCard, protocol: str | None) -> Choice | None:
    """Return the function that chooses the files of a data set; None where its files are not chosen case by case.

    Raises:
        UnknownNameError: The data set has no such protocol.
    """
    choose = _CHOICES.get(card.folder_name)
    return partial(choose, protocol=card.known_protocol(protocol)) if choose else None
