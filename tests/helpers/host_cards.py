"""Data cards whose files are in the repository of a host, and what a command makes of them."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from datamodules.acquire.acquire import acquire_data_set
from datamodules.index.card import DataCard
from tests.helpers.acquired_folders import left
from tests.helpers.data_cards import data_card
from zoo.errors import DataError, ZooError

LARGE = random.Random(0).randbytes(300_000)  # noqa: S311  (no secret)
FILES = {"list.json": b"{}", "ct/a.nii.gz": LARGE, "ct/b.nii.gz": LARGE[:9], "other/c.nii.gz": b"c"}
"""The files of a repository by path."""


def card_of(*repositories: dict[str, Any], **source: Any) -> DataCard:
    about: dict[str, Any] = {"licence": "CC0", "homepage": "x", "citation": "x", "layout": "x", "source": ["a test"]}
    return data_card(source={**about, "access": "download", "repositories": list(repositories), **source})


def hub_card(**keys: Any) -> DataCard:
    return card_of({"host": "huggingface", "repository": "lab/set", "patterns": ["list.json", "ct/*"], **keys})


def get(card: DataCard, root: Path, **options: Any) -> dict[str, Any]:
    return acquire_data_set(card, [], True, str(root / "mine"), **{"accept": True, **options})


def refuse(card: DataCard, root: Path, kind: type[ZooError] = DataError, **options: Any) -> str:
    with pytest.raises(kind) as caught:
        get(card, root, **options)
    assert "\n" not in str(caught.value)
    assert "mine" not in left(root), "nothing half-written has the name of the data set"
    return str(caught.value)


def stored(root: Path, label: str = "huggingface lab/set") -> dict[str, Any]:
    content: dict[str, Any] = json.loads((root / "checksums" / "mine.json").read_text())
    entry: dict[str, Any] = content[label]
    return entry
