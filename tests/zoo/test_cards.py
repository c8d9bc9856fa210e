"""The `about` of a card becomes typed facts."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from zoo.cards import CardSummary, ModelCard, PresetCard
from zoo.encoders.vision_names import VISION_ENCODERS
from zoo.errors import ConfigError
from zoo.registry import DATA, ENCODERS, MODELS, TRAINERS, Card, card_from


def test_every_registered_model_and_preset_has_a_correct_card() -> None:
    cards = [ModelCard.of(card) for card in MODELS if not card.broken]
    assert all(card.title and card.licence and card.text and card.spatial_dims for card in cards)
    assert "tiny" in [PresetCard.of(card).size for card in TRAINERS]


def test_every_vision_only_model_names_its_host_or_says_why_it_has_none() -> None:
    cards = [ModelCard.of(card) for card in MODELS if not card.broken]
    for card in (one for one in cards if not one.reads_text):
        assert bool(card.host) != bool(card.no_host), card.name
        family, colon, _ = card.host.partition(":")
        assert not card.host or family + colon in VISION_ENCODERS, card.name


@pytest.mark.parametrize(
    ("about", "message"),
    [
        ({"titel": "T"}, "unknown key about.titel. Did you mean title?"),
        ({"text": "poems"}, "about.text is 'poems', not one of none, class, report."),
        ({"spatial_dims": [4]}, r"about.spatial_dims is \[4\]"),
        ({"spatial_dims": 2}, "about.spatial_dims is 2, not a list"),
    ],
)
def test_a_mistake_in_a_card_of_a_model_ends_with_its_file_and_key(
    tmp_path: Path, about: dict[str, object], message: str
) -> None:
    path = tmp_path / "mynet.yaml"
    path.write_text(yaml.safe_dump({"about": about}), encoding="utf-8")
    with pytest.raises(ConfigError, match=f"{path}: {message}"):
        ModelCard.of(card_from("mynet", path))


@pytest.mark.parametrize(("text", "reads"), [("none", False), ("class", True), ("report", True)])
def test_the_card_says_whether_a_model_reads_text(text: str, reads: bool) -> None:
    assert ModelCard.of(Card("mynet", about={"text": text})).reads_text is reads
    assert not ModelCard.of(Card("mynet")).reads_text


def test_a_summary_shows_cards_of_every_kind() -> None:
    assert CardSummary.of(MODELS.get("unet")).spatial_dims == (2, 3)
    assert CardSummary.of(ENCODERS.get("minilm")).text
    data = CardSummary.of(DATA.get("btcv"))
    assert (data.text, data.spatial_dims, data.prompts) == ("class", (3,), "btcv")
