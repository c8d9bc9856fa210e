"""The card of a data set is typed and checked when it is read."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

import zoo.registry
from datamodules.bases.base import SegDataModule
from datamodules.cli import main
from datamodules.index.card import DataCard
from tests.helpers.data_cards import data_card
from zoo.errors import ConfigError, UnknownNameError
from zoo.registry import DATA, card_from
from zoo.types import LabelSpace

ABOUT: dict[str, Any] = {
    "title": "Mine",
    "spatial_dims": 2,
    "in_channels": 1,
    "track": "class",
    "classes": {"liver": [1, 2], "tumour": [2], "vein": [5]},
    "protocols": {"all": {"about": "everything"}, "liver": {"classes": ["liver"], "leaks": True}},
}


def read(tmp_path: Path, about: Any) -> DataCard:
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump({"about": about}, sort_keys=False), encoding="utf-8")
    return DataCard.of(card_from("mine", path))


def test_every_registered_data_set_has_a_correct_card() -> None:
    cards = [DataCard.of(card) for card in DATA]
    assert len(cards) >= 34
    assert all(card.title and card.licence and card.modality and card.task for card in cards)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"tollerance": 2.0}, "unknown key about.tollerance. Did you mean tolerance?"),
        ({"title": 3}, "about.title is 3. Write a text."),
        ({"spatial_dims": "two"}, "about.spatial_dims is 'two'. Write a whole number."),
        ({"spatial_dims": 4}, "about.spatial_dims is '4', not one of 2, 3."),
        ({"track": "poem"}, "about.track is 'poem', not one of none, class, report, mask-derived."),
        ({"laterality": "mine"}, "about.laterality is 'mine', not one of image, patient."),
        ({"in_channels": 0}, "about.in_channels is 0, not 1 or more."),
        ({"tolerance": 0}, "about.tolerance is 0.0, not above 0."),
        ({"flips": [2]}, "about.flips is [2], not a list of axes from 0 to 1."),
        ({"classes": {"liver": 1}}, "about.classes.liver is 1, not a list."),
        ({"protocols": {}}, "about.protocols is empty"),
        ({"protocols": {"a": {"leak": True}}}, "unknown key about.protocols.a.leak. Did you mean leaks?"),
        ({"protocols": {"a": {"classes": ["lung"]}}}, "about.protocols.a.classes has 'lung'"),
    ],
)
def test_a_mistake_is_one_line_with_the_file_and_the_key(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, {**ABOUT, **change})
    assert str(caught.value).startswith(f"{tmp_path / 'mine.yaml'}: {message}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("key", ["title", "spatial_dims", "in_channels", "track", "protocols"])
def test_a_missing_key_is_one_line_with_the_file(tmp_path: Path, key: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, {name: value for name, value in ABOUT.items() if name != key})
    assert str(caught.value).startswith(f"{tmp_path / 'mine.yaml'}: the key about.{key} is missing.")


def test_a_protocol_may_keep_some_classes(tmp_path: Path) -> None:
    card = read(tmp_path, {**ABOUT, "exclusive": False})
    assert card.labels("all") == LabelSpace(("liver", "tumour", "vein"), ((1, 2), (2,), (5,)), False)
    assert card.labels("liver") == LabelSpace(("liver",), ((1, 2),), False)
    assert card.dropped_values("all") == ()
    assert card.dropped_values("liver") == (5,), "2 belongs to a class that is kept"
    assert card.known_protocol(None) == "all"
    with pytest.raises(UnknownNameError, match="Did you mean liver"):
        card.known_protocol("livers")


def test_cards_of_one_archive_have_one_folder() -> None:
    assert data_card("mine").folder_name == "mine"
    assert DataCard.of(DATA.get("amos22_mr")).folder_name == "amos22"


def test_left_and_right_are_known_where_the_card_says_whose_or_there_are_no_reports() -> None:
    assert data_card(track="class").sides_known
    assert data_card(track="report", laterality="patient").sides_known
    assert not data_card(track="report").sides_known


def test_a_card_with_a_mistake_is_listed_with_its_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "data").mkdir()
    path = tmp_path / "data" / "broken.yaml"
    path.write_text(yaml.safe_dump({"about": {**ABOUT, "spatial_dim": 2}}), encoding="utf-8")
    monkeypatch.setattr(zoo.registry, "CONFIGS", tmp_path)
    monkeypatch.setattr(DATA, "_sources", None)
    assert main(["list"]) == 0
    assert f"broken: {path}: unknown key about.spatial_dim. Did you mean spatial_dims" in capsys.readouterr().out
    with pytest.raises(ConfigError, match=r"unknown key about\.spatial_dim"):
        type("Broken", (SegDataModule,), {"name": "broken"})()


def test_reading_cards_loads_no_torch() -> None:
    code = (
        "import sys; from zoo.registry import DATA; from datamodules.index.card import DataCard; "
        "[DataCard.of(card) for card in DATA]; assert not {'torch', 'lightning', 'PIL'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
