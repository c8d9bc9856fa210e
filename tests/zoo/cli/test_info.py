"""The output of the listing commands."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

import zoo.registry
from zoo.cli.main import main
from zoo.config import compose
from zoo.errors import ConfigError
from zoo.registry import DATA, MODELS, Registry
from zoo.utils.entry_points import EntryPoint


def test_list_prints_the_cards_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "models", "--json"]) == 0
    cards = json.loads(capsys.readouterr().out)
    assert [card["name"] for card in cards] == MODELS.names()
    assert {"about", "config", "sizes", "origin", "broken"} <= cards[0].keys()


def test_list_without_a_kind_lists_every_kind(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list"]) == 0
    shown = capsys.readouterr().out
    assert all(name in shown for name in ("zoo list models", "bipvl", "btcv", "pubmedbert", "ddp"))
    assert main(["list", "--json"]) == 0
    assert list(json.loads(capsys.readouterr().out)) == ["models", "data", "encoders", "trainers"]


@pytest.mark.parametrize("kind", ["models", "data", "encoders", "trainers"])
def test_list_prints_every_card(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    from zoo.cli.info import KINDS

    assert main(["list", kind]) == 0
    shown = capsys.readouterr().out
    assert all(name in shown for name in KINDS[kind].names())
    assert len(shown.splitlines()) == len(list(KINDS[kind])) + 1, "in a pipe a card is one line"


def test_a_broken_card_is_listed_with_its_reason(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    point = EntryPoint("lost", "no_such_package:card.yaml", "theirs")
    monkeypatch.setattr(zoo.registry, "list_points", lambda group: ([point], {}))
    registry = Registry("model", "model", "zoo.models", "zoo list models")
    monkeypatch.setitem(__import__("zoo.cli.info", fromlist=["KINDS"]).KINDS, "models", registry)
    assert main(["list", "models", "--json"]) == 0
    cards = {card["name"]: card for card in json.loads(capsys.readouterr().out)}
    assert "no_such_package" in cards["lost"]["broken"]
    assert cards["unet"]["broken"] == ""
    assert main(["list", "models"]) == 0
    assert "broken:" in capsys.readouterr().out


def test_an_alias_is_a_second_name_of_a_card(capsys: pytest.CaptureFixture[str]) -> None:
    assert DATA.get("msd_hippocampus") is DATA.get("hippocampus")
    assert "msd_hippocampus" in DATA
    assert "msd_hippocampus" in DATA.names()
    assert [card.name for card in DATA].count("hippocampus") == 1
    assert "msd_hippocampus" not in [card.name for card in DATA]
    assert DATA.aliases() == {"msd_hippocampus": "hippocampus"}
    assert main(["list", "data"]) == 0
    assert "Task04) (also msd_hippocampus)" in capsys.readouterr().out
    assert main(["list", "data", "--json"]) == 0
    cards = {card["name"]: card for card in json.loads(capsys.readouterr().out)}
    assert cards["hippocampus"]["aliases"] == ["msd_hippocampus"]
    assert cards["btcv"]["aliases"] == []
    assert main(["show", "msd_hippocampus"]) == 0
    assert capsys.readouterr().out.startswith("# msd_hippocampus, another name of hippocampus (data, from zoo)")


def test_a_run_with_an_alias_has_the_name_of_the_card(tmp_path: Path) -> None:
    own = tmp_path / "mine.yaml"
    own.write_text("alias: hippocampus\n")
    for name in ("msd_hippocampus", str(own)):
        assert compose("unet", name) == compose("unet", "hippocampus")


@pytest.mark.parametrize("target", ["nothing", "first"])
def test_an_alias_without_a_card_is_broken(target: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "first.yaml").write_text(f"alias: {target}\n")
    (tmp_path / "data" / "second.yaml").write_text("alias: first\n")
    monkeypatch.setattr(zoo.registry, "CONFIGS", tmp_path)
    registry = Registry("data set", "data", "zoo.nowhere", "zoo list data")
    assert registry.aliases() == {}
    assert {card.name: bool(card.broken) for card in registry} == {"first": True, "second": True}
    with pytest.raises(ConfigError, match="'second' is an alias of 'first', which is no card"):
        registry.get("second")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["list", "model"], "zoo list models"),
        (["list", "models", "data"], "one kind"),
        (["show", "unett"], "Did you mean unet"),
        (["show"], "one name"),
        (["env", "x"], "zoo env: unrecognized arguments: x"),
        (["list", "--jsn"], "Did you mean --json"),
    ],
)
def test_mistakes_end_with_one_line(words: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 2
    assert says in capsys.readouterr().err


def test_show_prints_yaml_with_the_class(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", "unet"]) == 0
    card = yaml.safe_load(capsys.readouterr().out)
    assert card["config"]["model"]["class_path"] == "zoo.models.UNet"
    assert set(card["sizes"]) == {"tiny", "published"}


def test_env_has_versions_and_settings(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("ZOO_OFFLINE", "1")
    assert main(["env"]) == 0
    lines = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert lines["torch"][0].isdigit()
    assert lines["ZOO_OFFLINE"] == "1"


def test_env_has_the_machine_and_the_extras(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert main(["env"]) == 0
    lines = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert (lines["gpu"], lines["CUDA_VISIBLE_DEVICES"]) == ("(none)", "(none)")
    assert int(lines["cores"]) >= 1
    assert lines["memory"].endswith("B")
    assert "dicom" in lines["extras"]
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\necho 'NVIDIA H200, 570.1, 143771'\n")
    tool.chmod(0o755)
    assert main(["env"]) == 0
    assert "NVIDIA H200, 151 GB, driver 570.1" in capsys.readouterr().out
