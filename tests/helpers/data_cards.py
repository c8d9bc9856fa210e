"""A small card of a data set that no file describes."""

from __future__ import annotations

from typing import Any

from datamodules.index.card import DataCard, ProtocolCard


def data_card(name: str = "mine", **facts: Any) -> DataCard:
    """A card with the facts that a test is about; all others are ordinary."""
    ordinary: dict[str, Any] = {"title": "Mine", "spatial_dims": 2, "in_channels": 1, "track": "class"}
    return DataCard(name, **{**ordinary, "protocols": {"by_subject": ProtocolCard()}, **facts})
