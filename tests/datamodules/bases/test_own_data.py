"""Titles, classes and file hashes of a user's own data."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from datamodules.files.class_values import class_values
from tests.helpers.image_sets import make_own_pictures, make_own_volumes
from tests.helpers.own_data import pictures, volumes
from zoo.cli.main import main
from zoo.config import compose, config_hash
from zoo.data_facts import DataFacts
from zoo.engine.lightning_cli import ZooCLI
from zoo.errors import ConfigError, DataError


def test_classes_of_any_form() -> None:
    assert class_values({"Left Kidney": 1, "tumour": [2, 3]}, "x") == {"left_kidney": (1,), "tumour": (2, 3)}
    strange: list[Any] = [{}, None, {"a": []}, {"a": "1"}, {"": 1}, {"a": True}]
    for wrong in strange:
        with pytest.raises(DataError, match="x: "):
            class_values(wrong, "x")


@pytest.mark.parametrize("title", ["a\nb", "a\x1b[31m", "a\u202eb"])
def test_a_title_that_changes_a_terminal_is_refused(tmp_path: Path, title: str) -> None:
    with pytest.raises(ConfigError, match="not one printable line"):
        pictures(make_own_pictures(tmp_path), title=title)


@pytest.mark.parametrize("title", [None, "", "  "])
def test_data_without_a_title_are_not_trained(tmp_path: Path, title: str | None) -> None:
    for data in (
        pictures(make_own_pictures(tmp_path / "a"), title=title),
        volumes(make_own_volumes(tmp_path / "b"), title=title),
    ):
        assert data.cases  # what makes no run does without
        for use in (lambda made: made.facts, lambda made: made.setup("fit")):
            with pytest.raises(ConfigError, match=r"Give --data\.title NAME; runs and tables use it\.$") as caught:
                use(data)
            assert "\n" not in str(caught.value)


def test_the_command_line_needs_the_title_before_it_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    root = make_own_pictures(tmp_path)
    monkeypatch.chdir(tmp_path)
    words = ["fit", "--model", "unet", "--data", "image_text_folder", "--size", "tiny", "--data.root", str(root)]
    assert main([*words, "--trainer.accelerator", "cpu"]) == 2
    assert "Give --data.title NAME; runs and tables use it." in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "runs").exists()


def test_runs_differ_by_title_and_not_by_folder(tmp_path: Path) -> None:
    config = compose("unet", "image_text_folder", size="tiny").config

    def run(root: str, title: str) -> str:
        return config_hash(ZooCLI(config, [("data.root", root), ("data.title", title)]).resolved())

    assert run("a", "One") == run("b", "One")
    assert run("a", "One") != run("a", "Two")


def test_two_data_sets_with_one_title_differ_by_their_files_and_not_by_their_folders(tmp_path: Path) -> None:
    one, copy, other = (pictures(make_own_pictures(tmp_path / name)) for name in ("a", "b", "c"))
    picture = other.index.case("pictures-p3").images[0]
    picture.write_bytes(picture.read_bytes()[:-3] + b"\x00\x01\x02")
    assert one.split_hash == copy.split_hash == other.split_hash
    assert one.data_hash == copy.data_hash != other.data_hash  # type: ignore[attr-defined]


def test_a_run_folder_has_the_title_and_is_not_continued_with_other_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    first, second = make_own_pictures(tmp_path / "a"), make_own_pictures(tmp_path / "b")
    mask = second / "masks" / "p3.png"
    mask.write_bytes((second / "masks" / "p4.png").read_bytes())
    words = ["fit", "--model", "unet", "--data", "image_text_folder", "--size", "tiny", "--trainer", "debug"]
    words += [
        "--data.title",
        "My Set",
        "--data.patch",
        "[16,16]",
        "--data.batch_size",
        "2",
        "--data.epoch_samples",
        "4",
    ]
    words += ["--trainer.accelerator", "cpu"]
    assert main([*words, "--data.root", str(first)]) == 0
    [out] = (tmp_path / "runs" / "image_text_folder-my-set" / "unet-tiny").iterdir()
    manifest = json.loads((out / "manifest.json").read_text())
    assert (manifest["data"], manifest["data_title"]) == ("image_text_folder", "My Set")
    assert manifest["data_hash"]
    assert main(["test", "--out", str(out), "--data.root", str(second)]) == 2
    assert "began with other data (files:" in " ".join(capsys.readouterr().err.split())
    (out / "manifest.json").write_text(json.dumps({**manifest, "finished": None}))
    assert main([*words, "--data.root", str(second)]) == 2
    assert "began with other data (files:" in " ".join(capsys.readouterr().err.split())
    assert json.loads((out / "manifest.json").read_text())["data_hash"] == manifest["data_hash"]
    assert main(["test", "--out", str(out), "--data.root", str(first)]) == 0


def test_classes_may_be_the_colours_of_a_mask(tmp_path: Path) -> None:
    root = make_own_pictures(tmp_path)
    for path in (root / "masks").iterdir():
        values = np.asarray(Image.open(path))
        Image.fromarray(np.array([(0, 0, 0), (128, 0, 0), (0, 64, 0)], np.uint8)[values]).save(path)
    (root / "dataset.yaml").write_text("classes: {red spot: '#800000', blue spot: ['#004000']}\nchannels: 3\n")
    data = pictures(root)
    assert DataFacts.from_dict(data.facts).labels.values == ((0x800000,), (0x004000,))
    first, second = [data.load(case).label for case in list(data.cases.values())[:2]]
    assert first is not None
    assert second is not None
    assert [np.unique(first).tolist(), np.unique(second).tolist()] == [[0, 1], [0, 2]]
    one = pictures(root, classes={"red spot": ["#800000"]})
    with pytest.raises(DataError, match=r"p1\.png: colours without a class: #004000"):
        one.load(list(one.cases.values())[1])
    with pytest.raises(DataError, match="some classes are colours and some are numbers"):
        pictures(root, classes={"red spot": ["#800000"], "blue spot": [2]})


@pytest.mark.parametrize(("value", "fits"), [(1, True), (1.0, True), ("#000001", True), (1.5, False), ("1", False)])
def test_a_class_has_whole_numbers_or_colours(value: Any, fits: bool) -> None:
    if fits:
        assert class_values({"lesion": value}, "x") == {"lesion": (1,)}
        return
    with pytest.raises(DataError, match="whole numbers above 0, or colours like '#ff0000'"):
        class_values({"lesion": value}, "x")


def test_a_key_that_is_there_twice_is_refused_in_files_and_options(tmp_path: Path) -> None:
    root = make_own_pictures(tmp_path)
    with pytest.raises(ConfigError, match=r"--data\.classes=.*: the key 'a' is there twice"):
        pictures(root, classes="{a: 1, a: 2}")
    (root / "dataset.yaml").write_text("classes:\n  a: 1\n  a: 2\n")
    with pytest.raises(ConfigError, match=r"dataset\.yaml: .*line 3: the key 'a' is there twice"):
        pictures(root)
    listing = make_own_volumes(tmp_path) / "dataset.json"
    listing.write_text('{"labels": {"0": "background",\n"1": "liver", "1": "tumour"}}')
    with pytest.raises(DataError, match=r"dataset\.json: .*line 2: the key '1' is there twice"):
        volumes(listing.parent)
