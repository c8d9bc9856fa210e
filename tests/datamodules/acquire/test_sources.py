"""Sources of the data sets: each data set on disk has one, and it is valid."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from datamodules.acquire import sources
from datamodules.acquire.sources import access_kind, format_steps, list_steps, load_source, parse_source
from datamodules.cli import main
from datamodules.index.card import DataCard
from tests.helpers.data_cards import data_card
from zoo.errors import ConfigError
from zoo.registry import CONFIGS, DATA
from zoo.utils.format import format_bytes

CARDS = [DataCard.of(card) for card in DATA if not card.broken and card.origin == "zoo"]
ON_DISK = [card for card in CARDS if access_kind(card) not in ("embedded", "own")]
GOOD: dict[str, Any] = {
    "licence": "CC0",
    "homepage": "https://example.org",
    "citation": "A. B., 2020",
    "access": "download",
    "layout": "a folder",
    "files": [{"name": "a.zip", "url": "https://example.org/a.zip", "sha256": "0" * 64}],
    "source": ["here"],
}


def test_only_own_data_and_generated_data_have_no_source() -> None:
    without = {card.name for card in CARDS} - {card.name for card in ON_DISK}
    assert without == {"image_text_folder", "nifti_folder", "phantom_abdomen", "phantom_chest", "phantom_findings"}


def test_every_source_file_belongs_to_a_data_set() -> None:
    folders = {card.folder_name for card in ON_DISK}
    assert {path.stem for path in (CONFIGS / "sources").glob("*.yaml")} == folders


@pytest.mark.parametrize("card", ON_DISK, ids=lambda card: card.name)
def test_every_data_set_on_disk_has_steps_or_a_download(card: DataCard) -> None:
    source = load_source(card)
    assert source is not None
    assert source.access in sources.ACCESS
    steps = list_steps(card)
    assert f"zoo data prepare {card.name} " in " ".join(steps)
    assert "{name}" not in format_steps(card)
    assert "\n" not in format_steps(card)
    for file in source.downloads:
        assert file.sha256, "every download has a sha256"
        assert "--download" in " ".join(steps)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"citation": ""}, "citation is missing"),
        ({"source": []}, "name where this information was read"),
        ({"access": "somehow"}, "access 'somehow'"),
        ({"access": "by hand"}, "steps are missing"),
        ({"steps": [1]}, "texts are expected"),
        ({"files": []}, "a file has no url"),
        ({"files": [{"name": "a.zip"}]}, "a file has no url"),
        ({"files": [{"name": "a.zip", "url": "http://example.org", "sha256": "0" * 64}]}, "not https"),
        ({"files": [{"name": "a.zip", "url": "https://example.org"}]}, "needs a sha256"),
        ({"files": [{"name": "a.zip", "sha256": "abc"}]}, "64 hex digits"),
        ({"files": [{"name": "a.zip", "md5": "A" * 32}]}, "32 hex digits"),
        ({"files": [{"name": "../a.zip"}]}, "not a plain file name"),
        ({"files": [{"name": "a.zip", "size": "big"}]}, "not a number of bytes"),
        ({"files": [{"name": "a.zip", "sha265": "abc"}]}, "sha265"),
        ({"license": "CC0"}, "license"),
    ],
)
def test_an_invalid_source_is_refused(change: dict[str, Any], says: str) -> None:
    assert parse_source(GOOD, "here").files[0].has_checksum
    with pytest.raises(ConfigError, match=says) as error:
        parse_source({**GOOD, **change}, "mine.yaml")
    assert str(error.value).startswith("mine.yaml: ")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"host": "dropbox"}, "host 'dropbox' is not one of huggingface, kaggle, synapse, zenodo"),
        ({"repository": "no owner"}, "'no owner' is no repository of huggingface"),
        ({"repository": "../set"}, "is no repository of huggingface"),
        ({"host": "kaggle", "revision": "v2"}, "kaggle lab/set: 'v2' is no revision of kaggle"),
        ({"host": "zenodo", "repository": "7", "revision": "v2"}, "'v2' is no revision of zenodo"),
        ({"patterns": "*.zip"}, "patterns is not a list"),
        ({"patterns": [1]}, "patterns and cases are lists of texts"),
        ({"gated": "yes"}, "gated is true or false"),
        ({"pattern": ["*"]}, "an entry has host and repository, and may have cases, gated"),
    ],
)
def test_an_invalid_repository_is_refused(change: dict[str, Any], says: str) -> None:
    entry = {"host": "huggingface", "repository": "lab/set", "patterns": ["*.zip"]}
    assert parse_source({**GOOD, "files": [], "repositories": [entry]}, "here").repositories[0].label
    with pytest.raises(ConfigError, match=says):
        parse_source({**GOOD, "repositories": [{**entry, **change}]}, "mine.yaml")


def test_a_repository_adds_its_steps_unless_the_source_has_them() -> None:
    entry = {"host": "huggingface", "repository": "lab/set", "patterns": ["*.zip"], "gated": True}
    about = {**GOOD, "files": [], "repositories": [entry]}
    steps = list_steps(data_card(source=about))
    assert steps[0] == "Run `hf auth login`, or set HF_TOKEN."
    assert steps[1].startswith("Run `zoo data prepare mine --download --accept-unverified`")
    assert list_steps(data_card(source={**about, "steps": ["Run it with --download."]})) == ["Run it with --download."]


def test_a_card_may_contain_its_own_source() -> None:
    card = data_card(source={**GOOD, "steps": ["Nod at {name}."]})
    assert access_kind(card) == "download"
    assert list_steps(card)[0] == "Nod at mine."
    assert access_kind(data_card(homepage="https://example.org")) == "own"


@pytest.mark.parametrize(
    ("size", "shown"),
    [
        (None, "size not known"),
        (0, "0 B"),
        (999, "999 B"),
        (28425216, "28.4 MB"),
        (7608266240, "7.6 GB"),
        (10**16, "10000 TB"),
    ],
)
def test_bytes_are_formatted_with_their_unit(size: int | None, shown: str) -> None:
    assert format_bytes(size) == shown


def test_the_list_shows_how_to_get_each_data_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "amos22").mkdir()
    monkeypatch.setenv("ZOO_DATA", str(tmp_path))
    assert main(["list", "--json"]) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert rows.keys() == {card.name for card in DATA}
    assert rows["hippocampus"]["aliases"] == ["msd_hippocampus"]
    assert {name: rows[name]["got"] for name in ("btcv", "hippocampus", "acdc", "phantom_chest", "nifti_folder")} == {
        "btcv": "registration",
        "hippocampus": "download",
        "acdc": "by hand",
        "phantom_chest": "embedded",
        "nifti_folder": "own",
    }
    assert [name for name, row in rows.items() if row["available"]] == [
        *("amos22", "amos22_ct", "amos22_mr", "phantom_abdomen", "phantom_chest", "phantom_findings")
    ]
    assert rows["btcv"] | {"title": ""} == {
        **{"name": "btcv", "aliases": [], "title": "", "dims": 3, "modality": "CT", "text": "class", "classes": 13},
        **{"got": "registration", "licence": "by registration at Synapse; not passed on", "available": False},
    }
    assert main(["list"]) == 0
    shown = capsys.readouterr().out
    assert len(shown.splitlines()) == len(rows) + 1
    assert "also msd_hippocampus" in shown
    assert main(["list", "--data.root", "x"]) == 2


def test_a_broken_source_is_listed_with_its_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "btcv.yaml").write_text(yaml.safe_dump({**GOOD, "files": []}))
    monkeypatch.setattr(sources, "SOURCES", tmp_path)
    assert main(["list", "--json"]) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert "btcv.yaml: access is download, but a file has no url" in rows["btcv"]["title"]


def test_listing_and_steps_load_no_torch() -> None:
    code = (
        "import sys; from datamodules.cli import main; assert main(['list']) == 0; "
        "assert main(['prepare', 'btcv', '--steps']) == 0; assert main(['prepare', 'btcv']) == 2; "
        "assert not {'torch', 'lightning', 'monai'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "1. Make an account at https://www.synapse.org" in done.stdout
    assert done.stderr.count("\n") == 1
