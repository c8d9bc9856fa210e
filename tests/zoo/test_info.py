"""What the listing commands say."""

from __future__ import annotations

import json
from importlib.metadata import EntryPoint

import pytest
import yaml

import zoo.registry
from zoo.cli.main import main
from zoo.registry import MODELS, Registry


def test_list_as_json_is_the_cards(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "models", "--json"]) == 0
    cards = json.loads(capsys.readouterr().out)
    assert [card["name"] for card in cards] == MODELS.names()
    assert {"about", "config", "sizes", "origin", "broken"} <= cards[0].keys()


@pytest.mark.parametrize("kind", ["models", "data", "encoders", "trainers"])
def test_list_names_every_card(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    from zoo.cli.info import KINDS

    assert main(["list", kind]) == 0
    shown = capsys.readouterr().out
    assert all(name in shown for name in KINDS[kind].names())
    assert len(shown.splitlines()) == len(KINDS[kind].names()) + 1, "in a pipe a card is one line"


def test_broken_plugin_is_listed_with_its_reason(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    point = EntryPoint("lost", "no_such_package:card.yaml", "zoo.models")
    monkeypatch.setattr(zoo.registry, "entry_points", lambda group: [point])
    registry = Registry("model", "model", "zoo.models", "zoo list models")
    monkeypatch.setitem(__import__("zoo.cli.info", fromlist=["KINDS"]).KINDS, "models", registry)
    assert main(["list", "models", "--json"]) == 0
    cards = {card["name"]: card for card in json.loads(capsys.readouterr().out)}
    assert "no_such_package" in cards["lost"]["broken"]
    assert cards["unet"]["broken"] == ""
    assert main(["list", "models"]) == 0
    assert "broken:" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["list"], "models|data|encoders"),
        (["list", "model"], "zoo list models"),
        (["show", "unett"], "Did you mean unet"),
        (["show"], "one name"),
        (["env", "x"], "no arguments"),
    ],
)
def test_mistakes(words: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 2
    assert says in capsys.readouterr().err


def test_show_is_yaml_that_names_the_class(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", "unet"]) == 0
    card = yaml.safe_load(capsys.readouterr().out)
    assert card["config"]["model"]["class_path"] == "zoo.models.unet.UNet"
    assert set(card["sizes"]) == {"tiny", "published"}


def test_env_has_versions_and_settings(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("ZOO_OFFLINE", "1")
    assert main(["env"]) == 0
    lines = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert lines["torch"][0].isdigit()
    assert lines["ZOO_OFFLINE"] == "1"
