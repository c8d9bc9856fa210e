"""Losses that bring text into the training of a model that reads no text: their names. No torch here."""

from __future__ import annotations

from typing import NamedTuple

from zoo.errors import ConfigError

LG_SDG = "lg_sdg"
TEXT_LOSSES = {LG_SDG: "minilm"}
"""Name -> its text encoder where the option names none: one whose weights need no hub."""


class TextLoss(NamedTuple):
    """A loss and the text encoder whose vectors it compares."""

    name: str
    encoder: str


def read_text_loss(value: str | None) -> TextLoss | None:
    """Read the option `--model.text_loss`: `NAME`, or `NAME:ENCODER` with the name or the folder of an encoder.

    Raises:
        ConfigError: There is no such loss.

    Example:
        >>> read_text_loss("lg_sdg:tiny")
        TextLoss(name='lg_sdg', encoder='tiny')
    """
    if not value:
        return None
    name, _, encoder = value.partition(":")
    if name not in TEXT_LOSSES:
        known = ", ".join(f"{one}, {one}:ENCODER" for one in TEXT_LOSSES)
        raise ConfigError(f"--model.text_loss {value}: there is no such loss.", f"There is {known}.")
    return TextLoss(name, encoder or TEXT_LOSSES[name])
