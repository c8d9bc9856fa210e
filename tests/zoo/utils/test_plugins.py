"""A broken package breaks nothing but its own names."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from datamodules.build import build_datamodule
from datamodules.cli.main import main as data_main
from zoo.cli import fit, info
from zoo.cli.main import main
from zoo.config import compose
from zoo.engine.lightning_cli import import_class
from zoo.errors import ConfigError
from zoo.registry import DATA, Registry
from zoo.utils.plugins import find_folder, import_object

GOOD = "about: {title: good, text: none}\nconfig: {model: {class_path: good.Net}}\n"
BAD_CARDS = {
    "list": "about: [1]",
    "text": "about: a title",
    "config": "config: [1]",
    "section": "config: {model: [1]}",
    "arguments": "config: {model: {class_path: a.B, init_args: 3}}",
    "size": "sizes: {tiny: 3}",
    "sizes": "sizes: tiny",
    "dates": "about: {2024-01-01: x}",
    "null_key": "about: {null: x}",
    "unknown": "1: x",
    "empty": "",
    "bomb": "a: &a [*a]",
}
BAD_PACKAGES = {
    "raises": "raise RuntimeError('broken by design')",
    "exits": "import sys; sys.exit(7)",
    "leaves": "import os; os._exit(0)",
    "ends": "raise SystemExit",
    "looks": "import no_such_package",
    "syntax": "def (",
    "asserts": "assert False",
}


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of packages: a good plug-in, one plug-in per broken card, one per broken parent package."""
    points = ["good = good:card.yaml"]
    (tmp_path / "good").mkdir()
    (tmp_path / "good" / "__init__.py").write_text("")
    (tmp_path / "good" / "card.yaml").write_text(GOOD)
    for name, text in BAD_CARDS.items():
        (tmp_path / "good" / f"{name}.yaml").write_text(text)
        points.append(f"{name} = good:{name}.yaml")
    for name, code in BAD_PACKAGES.items():
        (tmp_path / name / "sub").mkdir(parents=True)
        (tmp_path / name / "__init__.py").write_text(code)
        (tmp_path / name / "sub" / "__init__.py").write_text("")
        (tmp_path / name / "sub" / "card.yaml").write_text(GOOD.replace("good.Net", f"{name}.Net"))
        points.append(f"{name} = {name}.sub:card.yaml")
    metadata = tmp_path / "good-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: good\nVersion: 1.0\n")
    listed = "\n".join(points)
    (metadata / "entry_points.txt").write_text(f"[zoo.models]\n{listed}\n[zoo.data]\n{listed}\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]


@pytest.fixture
def models(site: Path, monkeypatch: pytest.MonkeyPatch) -> Registry:
    made = Registry("model", "model", "zoo.models", "zoo list models")
    monkeypatch.setitem(info.KINDS, "models", made)
    monkeypatch.setattr("zoo.config.MODELS", made)
    return made


def test_each_broken_card_is_listed_with_its_reason_and_the_others_work(
    models: Registry, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["list", "models", "--json"]) == 0
    cards = {card["name"]: card for card in json.loads(capsys.readouterr().out)}
    assert [name for name in BAD_CARDS if not cards[name]["broken"]] == []
    assert "about is [1], not a mapping" in cards["list"]["broken"]
    assert [name for name in ("unet", "good", *BAD_PACKAGES) if cards[name]["broken"]] == []
    assert main(["list", "models"]) == 0
    assert capsys.readouterr().out.count("broken:") == len(BAD_CARDS)
    with pytest.raises(ConfigError, match=r"list\.yaml: about is \[1\]"):
        models.get("list")


def test_a_listing_imports_no_package(models: Registry) -> None:
    before = set(sys.modules)
    assert len(list(models)) > len(BAD_PACKAGES)
    assert (set(sys.modules) - before).isdisjoint({"good", *BAD_PACKAGES})


def test_data_sets_of_broken_packages_are_listed(
    site: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made = Registry("data set", "data", "zoo.data", "zoo list data")
    monkeypatch.setattr("datamodules.cli.list.DATA", made)
    assert data_main(["list", "--json"]) == 0
    rows = {row["name"]: row["title"] for row in json.loads(capsys.readouterr().out)}
    assert rows["list"].startswith("broken: ")
    assert rows["btcv"] == DATA.get("btcv").about["title"]


@pytest.mark.parametrize("name", BAD_PACKAGES)
def test_a_class_of_a_broken_package_ends_with_its_reason(models: Registry, name: str) -> None:
    with pytest.raises(ConfigError, match=rf"--model: {name}\.Net cannot be imported: \w+: ?.*PYTHONPATH"):
        import_class("model", f"{name}.Net")
    assert os._exit.__module__ in ("posix", "nt")


def test_a_training_with_a_package_that_exits_is_not_taken_for_done(
    models: Registry, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    out = tmp_path / "run"
    assert main(["fit", "--model", "leaves", "--data", "phantom_chest", "--out", str(out)]) == 2
    assert "leaves.Net cannot be imported: SystemExit: 0" in capsys.readouterr().err
    assert not out.exists()


def test_code_that_exits_later_is_an_error(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(fit, "compose_request", lambda request: sys.exit(0))
    assert main(["fit", "--model", "unet", "--data", "phantom_chest"]) == 2
    assert "ended the program (exit code 0)" in capsys.readouterr().err


def test_a_data_set_that_cannot_be_imported_ends_with_its_reason(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (site / "good" / "list.yaml").write_text("config: {data: {class_path: exits.Data}}")
    monkeypatch.setattr("datamodules.build.DATA", Registry("data set", "data", "zoo.data", "zoo list data"))
    with pytest.raises(ConfigError, match=r"'list' of good: exits\.Data cannot be imported: SystemExit: 7"):
        build_datamodule("list")


def test_a_distribution_with_broken_entry_points_is_listed(site: Path, models: Registry) -> None:
    broken = site / "odd-1.0.dist-info"
    broken.mkdir()
    (broken / "METADATA").write_text("Metadata-Version: 2.1\nName: odd\nVersion: 1.0\n")
    (broken / "entry_points.txt").write_bytes(b"[zoo.models]\nx = \xff\xfe\n")
    cards = {card.name: card for card in models}
    assert not cards["good"].broken
    assert not cards["unet"].broken
    assert any("odd" in card.name and card.broken for card in cards.values())


def test_a_command_of_a_broken_package_ends_with_its_reason(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    listed = "\n".join(f"{name} = {name}:main" for name in BAD_PACKAGES)
    with (site / "good-1.0.dist-info" / "entry_points.txt").open("a") as file:
        file.write(f"[zoo.commands]\n{listed}\n")
    for name in BAD_PACKAGES:
        assert main([name]) == 2
        assert f"The command '{name}'" in capsys.readouterr().err
    assert main(["--help"]) == 0


def test_a_card_of_a_users_file_is_checked_too(tmp_path: Path) -> None:
    card = tmp_path / "card.yaml"
    card.write_text("config: {model: [1]}")
    with pytest.raises(ConfigError, match=r"card\.yaml: config\.model is \[1\], not a mapping"):
        compose(str(card), "phantom_chest")


def test_a_folder_is_found_without_an_import(site: Path) -> None:
    assert find_folder("good") == site / "good"
    assert find_folder("exits.sub") == site / "exits" / "sub"
    (site / "spaces" / "inner").mkdir(parents=True)
    assert find_folder("spaces.inner") == site / "spaces" / "inner"
    for missing in ("no_such", "good.no", "good.no.such", "sys.no"):
        assert find_folder(missing) is None


def test_a_bug_of_ours_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(name: str) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr("zoo.utils.plugins.import_module", fail)
    with pytest.raises(RuntimeError, match="a bug"):
        import_object("zoo.models.UNet")
