"""`docs/data_sets.md`, made of the cards of the data sets and of the published scores. `make data-index` writes it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from benchmarks.tables.published_scores import all_published
from benchmarks.tables.writers import escape_markdown
from datamodules.acquire.sources import access_kind
from datamodules.index.card import DataCard
from tests.helpers.model_index import format_table
from tests.helpers.paths import REPOSITORY
from zoo.registry import DATA, MODELS

PAGE = REPOSITORY / "docs" / "data_sets.md"
COMMAND = "make data-index"

_HEAD = f"""# The data sets

`{COMMAND}` makes this page of the cards and of `configs/published`. [Getting them](data.md) has folders, archives
and steps.

*Text*: the text track, which is who wrote the texts ([glossary](glossary.md)); *queries* have a text and a mask of
their own, several per image. *Cases*: images with a public label in the release, where their number was read.
*Publish*: what the terms allow for images, weights and score rows, as far as the card knows. *Published*: models of the
zoo with a published score on it ([the models](models/index.md)).
"""

_COLUMNS = ("data set", "what", "text", "dimensions", "modality", "cases", "licence", "how", "publish", "published")


def make_index() -> str:
    """Make the page."""
    cards = sorted((DataCard.of(card) for card in DATA if not card.broken and card.origin == "zoo"), key=_sort)
    ranked: dict[str, dict[str, None]] = {}
    for score in all_published():
        if score.model in MODELS:
            ranked.setdefault(score.data, {})[score.model] = None
    return f"{_HEAD}\n{format_table(_COLUMNS, [_row(card, ranked) for card in cards])}\n"


def _sort(card: DataCard) -> tuple[bool, str]:
    return card.embedded or not card.classes, card.name


def _row(card: DataCard, ranked: Mapping[str, Mapping[str, None]]) -> list[str]:
    allowed = card.publish
    own = not card.classes and not card.embedded
    return [
        f"`{card.name}`",
        escape_markdown(card.title),
        card.track + (", queries" if card.queries else ""),
        f"{card.spatial_dims}D",
        card.modality,
        f"{card.cases:,}" if card.cases else "",
        escape_markdown(card.licence),
        access_kind(card),
        "" if own else f"{allowed.images} / {allowed.weights} / {allowed.rows}",
        ", ".join(sorted(ranked.get(card.name, ()))),
    ]


def write_index(page: Path = PAGE) -> None:
    """Write the page."""
    page.write_text(make_index(), encoding="utf-8")


if __name__ == "__main__":
    write_index()
