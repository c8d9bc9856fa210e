"""A user's own data without code: a table of pictures, a `dataset.json` of volumes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from datamodules.bases.own_data import plain_prompts
from datamodules.build import build_datamodule
from tests.helpers.image_sets import make_own_pictures, make_own_volumes
from tests.helpers.own_data import counts, pictures, volumes
from zoo.config import compose
from zoo.data_facts import DataFacts
from zoo.engine.lightning_cli import ZooCLI
from zoo.errors import ConfigError, DataError, UnknownNameError, ZooError
from zoo.text.prompt_files import CONCEPTS


def test_facts_come_from_the_file_beside_the_table(tmp_path: Path) -> None:
    data = pictures(make_own_pictures(tmp_path))
    facts = DataFacts.from_dict(data.facts)
    assert facts.labels.names == ("red_spot", "blue_spot")
    assert facts.labels.values == ((1,), (2,))
    assert facts.labels.exclusive
    assert (facts.in_channels, facts.track) == (3, "report")
    assert facts.prompts[0] == plain_prompts(["red_spot"])[0]
    assert facts.prompts[0].sentence == "Red spot."
    assert len(facts.prompts[0].concepts) == len(CONCEPTS)
    assert data.card.laterality == "image"
    assert counts(data) == [8, 2, 2]
    assert not data.split.leaks()


def test_options_replace_values_of_the_file(tmp_path: Path) -> None:
    root = make_own_pictures(tmp_path)
    one = pictures(root, classes={"spot": [1, 2]})
    assert one.labels.names == ("spot",)
    assert not one.labels.exclusive
    gray = pictures(root, channels=1)
    with pytest.raises(DataError, match=r"p0\.jpg: a colour picture"):
        gray.load(next(iter(gray.cases.values())))
    (root / "other.csv").write_text("image,mask\npictures/p0.jpg,masks/p0.png\n")
    assert len(pictures(root, table="other.csv").list_cases()) == 1
    with pytest.raises(DataError, match=r"cases\.csv, other\.csv.*--data\.table"):
        pictures(root)


def test_without_text_the_track_is_class_and_the_table_gives_the_split(tmp_path: Path) -> None:
    data = pictures(make_own_pictures(tmp_path, text=False, split=True))
    assert data.facts["track"] == "class"
    assert data.protocol == "table"
    assert counts(data) == [6, 2, 4]
    data.setup("fit")
    assert "reports" not in next(iter(data.train_dataloader()))
    assert data.index.case("pictures-p0").subject == "person 0"
    by_subject = pictures(data.folder, protocol="by_subject")
    assert by_subject.split_hash != data.split_hash


def test_prompts_beside_the_data_are_used(tmp_path: Path) -> None:
    root = make_own_pictures(tmp_path)
    told = {
        name: {"sentence": f"Some {name}.", **dict.fromkeys(CONCEPTS, "Text.")} for name in ("red_spot", "blue_spot")
    }
    (root / "prompts.yaml").write_text(yaml.safe_dump({"version": 1, "classes": told}, sort_keys=False))
    assert pictures(root).prompts[1].sentence == "Some blue_spot."
    assert pictures(root).prompt_hash != pictures(make_own_pictures(tmp_path / "b")).prompt_hash


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"dataset.yaml": "channels: 3"}, r"dataset\.yaml: the classes are missing"),
        ({"dataset.yaml": "classes: {a: [0]}"}, "class 'a'"),
        ({"dataset.yaml": "classes: {a b: 1, A-b: 2}"}, "class 'A-b'"),
        ({"dataset.yaml": "classes: {a: 1}\ncolour: yes"}, "unknown key 'colour'"),
        ({"dataset.yaml": "classes: {a: 1}\nchannels: 4"}, "channels are 4"),
        ({"dataset.yaml": "classes: {a: 1}\ntrack: reports"}, "track 'reports'"),
        ({"dataset.yaml": "classes: {a: 1}\ntrack: class"}, "`track` is class, but the table has a text per image"),
        ({"cases.csv": "image,mask,query\na,b,c"}, "a column `query`, but no column `text`"),
        ({"cases.csv": "picture,mask\na,b"}, r"cases\.csv: columns \['picture', 'mask'\] lack image"),
        ({"cases.csv": "image,mask\na.png,\nb.png,c.png"}, "without image or mask"),
        ({"cases.csv": "image,mask\na.png,b.png"}, r"a\.png: no such file"),
        ({"cases.csv": "image,mask,split\npictures/p0.jpg,masks/p0.png,trian"}, "split 'trian' of pictures-p0"),
    ],
)
def test_each_fault_of_a_table_is_one_line(tmp_path: Path, change: dict[str, str], message: str) -> None:
    root = make_own_pictures(tmp_path)
    for name, content in change.items():
        (root / name).write_text(content)
    with pytest.raises(ZooError, match=message):
        _ = pictures(root).split


def test_own_data_without_a_folder_are_refused() -> None:
    with pytest.raises(DataError, match=r"no folder is known .*--data\.root"):
        build_datamodule("image_text_folder")


def test_an_unknown_protocol_is_refused(tmp_path: Path) -> None:
    root = make_own_pictures(tmp_path)
    with pytest.raises(UnknownNameError, match="by_subject"):
        pictures(root, protocol="by_subjct")
    with pytest.raises(DataError, match="no column `split`"):
        _ = pictures(root, protocol="table").split


@pytest.mark.parametrize("form", ["decathlon", "nnunet"])
@pytest.mark.parametrize("channels", [1, 2])
def test_volumes_of_both_forms(tmp_path: Path, form: str, channels: int) -> None:
    data = volumes(make_own_volumes(tmp_path, form, channels), subject=r"(case\d+)_")
    facts = DataFacts.from_dict(data.facts)
    assert facts.labels.names == ("left_kidney", "liver")
    assert (facts.in_channels, facts.track) == (channels, "class")
    data.setup("fit")
    assert counts(data) == [2, 2, 2]
    assert not data.split.leaks()
    assert next(iter(data.train_dataloader()))["image"].shape == (2, channels, 8, 8, 8)
    assert next(iter(data.test_dataloader()))["image"].shape == (1, channels, 16, 14, 12)


def test_volumes_that_nnunets_first_version_lists(tmp_path: Path) -> None:
    root = make_own_volumes(tmp_path, "nnunet", 2)
    known = volumes(root)
    listing = json.loads((root / "dataset.json").read_text())
    names = {str(value): name for name, value in listing["labels"].items()}
    entries = [{"image": f"./imagesTr/{c}.nii.gz", "label": f"./labelsTr/{c}.nii.gz"} for c in known.cases]
    first = {"labels": names, "modality": listing["channel_names"], "training": entries}
    (root / "dataset.json").write_text(json.dumps(first))
    found = volumes(root)
    assert found.cases == known.cases
    assert found.labels == known.labels


def test_volumes_with_text_window_and_spacing(tmp_path: Path) -> None:
    root = make_own_volumes(tmp_path)
    listing = json.loads((root / "dataset.json").read_text())
    for entry in listing["training"]:
        entry["text"] = "A liver."
    (root / "dataset.json").write_text(json.dumps(listing))
    data = volumes(root, window=[0, 2], spacing=[2, 2, 2])
    assert data.facts["track"] == "report"
    prepared = data.prepared(next(iter(data.cases.values())))
    assert prepared.image.shape == (1, 8, 7, 12)
    assert 0 <= prepared.image.min() < prepared.image.max() <= 1
    del listing["training"][0]["text"]
    (root / "dataset.json").write_text(json.dumps(listing))
    with pytest.raises(DataError, match="the caption is missing"):
        _ = volumes(root).cases


def test_a_subject_of_a_volume_may_be_a_number_but_not_empty(tmp_path: Path) -> None:
    root = make_own_volumes(tmp_path)
    listing = json.loads((root / "dataset.json").read_text())
    for number, entry in enumerate(listing["training"]):
        entry["subject"] = number // 2
    (root / "dataset.json").write_text(json.dumps(listing))
    assert [case.subject for case in volumes(root).list_cases()] == ["0", "0", "1", "1", "2", "2"]
    for nobody in ({"subject": ""}, {"subject": None}, {}):
        listing["training"][3] = {**{key: listing["training"][3][key] for key in ("image", "label")}, **nobody}
        (root / "dataset.json").write_text(json.dumps(listing))
        with pytest.raises(DataError, match=r"dataset\.json: an entry without subject.*Write it"):
            volumes(root).list_cases()


def test_overlapping_regions_are_channels(tmp_path: Path) -> None:
    root = make_own_volumes(tmp_path, "nnunet")
    listing = json.loads((root / "dataset.json").read_text())
    listing["labels"] = {"background": 0, "whole": [1, 2], "core": [2]}
    (root / "dataset.json").write_text(json.dumps(listing))
    data = volumes(root)
    assert not data.labels.exclusive
    assert data.prepared(next(iter(data.cases.values()))).label.shape[0] == 2  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ({"background": 0, "a": 1, "ignore": 2}, "a label to ignore"),
        ({"0": "background"}, "the classes are missing"),
        (None, "the classes are missing"),
        ({"0": "background", "1": "a", "2": "a"}, "two labels with one name"),
    ],
)
def test_wrong_labels_are_refused(tmp_path: Path, labels: Any, message: str) -> None:
    root = make_own_volumes(tmp_path)
    listing = json.loads((root / "dataset.json").read_text())
    (root / "dataset.json").write_text(json.dumps({**listing, "labels": labels}))
    with pytest.raises(DataError, match=message):
        volumes(root)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"spacing": [1, 1]}, "voxel size"),
        ({"window": [3, 1]}, "not a window"),
        ({"subject": "case"}, "has no group"),
        ({"subject": "("}, "not a pattern"),
    ],
)
def test_options_that_do_not_fit(tmp_path: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        volumes(make_own_volumes(tmp_path), **options)


def test_a_name_without_the_subject_pattern_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="finds no subject in 'case0_0'"):
        volumes(make_own_volumes(tmp_path), subject="(person)").list_cases()


def test_the_command_line_gives_the_facts_to_the_model(tmp_path: Path) -> None:
    root = make_own_pictures(tmp_path)
    composed = compose("unet", "image_text_folder", size="tiny")
    options = [("data.root", str(root)), ("data.classes", "{spot: [1, 2]}"), ("trainer.accelerator", "cpu")]
    cli = ZooCLI(composed.config, [*options, ("data.title", "Mine")])
    assert cli.resolved()["data"]["init_args"]["classes"] == {"spot": [1, 2]}
    cli.build()
    facts = DataFacts.from_dict(dict(cli.model.hparams)["facts"])
    assert facts.labels.names == ("spot",)
    assert facts.in_channels == 3
