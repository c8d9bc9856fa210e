"""`dataset.json` of the Decathlon, MONAI and nnU-Net: each key is used or refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from datamodules.files.dataset_json import DatasetJson, read_dataset_json
from zoo.errors import DataError

CASE = {"image": "imagesTr/a.nii.gz", "label": "labelsTr/a.nii.gz"}
OTHER = {"image": "imagesTr/b.nii.gz", "label": "labelsTr/b.nii.gz"}
NNUNET = {"channel_names": {"0": "CT"}, "labels": {"background": 0, "ball": 1}, "numTraining": 2}
DECATHLON = {"modality": {"0": "CT"}, "labels": {"0": "background", "1": "ball"}, "training": [CASE, OTHER]}


def read(tmp_path: Path, content: dict[str, Any]) -> DatasetJson:
    (tmp_path / "dataset.json").write_text(json.dumps(content))
    return read_dataset_json(tmp_path / "dataset.json")


def test_keys_that_describe_are_accepted_in_any_case(tmp_path: Path) -> None:
    described = {"name": "x", "Licence": "MIT", "reference": "", "tensorImageSize": "3D", "converted_by": "me"}
    described |= {"overwrite_image_reader_writer": "SimpleITKIO", "file_ending": ".NII.GZ", "release": "1.0"}
    found = read(tmp_path, {**NNUNET, **described})
    assert (found.classes, found.channels, found.file_ending) == ({"ball": (1,)}, 1, ".nii.gz")
    assert found.entries == ()


@pytest.mark.parametrize(
    ("names", "channels"),
    [({"0": "CT", "1": "PET"}, 2), (["T1", "T2", "FLAIR"], 3), ("MRI", 1), (None, 1)],
)
def test_channels_are_counted_in_each_form(tmp_path: Path, names: Any, channels: int) -> None:
    assert read(tmp_path, {**NNUNET, "channel_names": names}).channels == channels


def test_the_lists_of_monai_are_read(tmp_path: Path) -> None:
    listing = {**DECATHLON, "validation": [{**CASE, "image": "c.nii"}], "testing": ["d.nii", {"image": "e.nii.gz"}]}
    found = read(tmp_path, {**listing, "numTraining": 2, "numValidation": 1, "numTest": "2"})
    assert [entry.part for entry in found.labelled] == ["training", "training", "validation"]
    assert [entry.images for entry in found.entries if entry.label is None] == [("d.nii",), ("e.nii.gz",)]
    assert found.has_split
    assert not read(tmp_path, DECATHLON).has_split


def test_a_validation_list_without_labels_is_only_predicted(tmp_path: Path) -> None:
    found = read(tmp_path, {**DECATHLON, "validation": ["c.nii.gz", {"image": "d.nii.gz", "label": ""}]})
    assert len(found.labelled) == 2
    assert not found.has_split
    with pytest.raises(DataError, match=r"validation\[0\] has no `label`, although others have one"):
        read(tmp_path, {**DECATHLON, "validation": ["c.nii.gz", CASE]})
    with pytest.raises(DataError, match=r"training\[0\] has no `label`"):
        read(tmp_path, {**DECATHLON, "training": [{"image": "c.nii.gz"}], "validation": [CASE]})


def test_the_key_dataset_of_nnunet_is_read(tmp_path: Path) -> None:
    case = {"images": ["x/1.nii.gz", "y/1.nii.gz"], "label": "/l/1.nii.gz"}
    listing = {**NNUNET, "channel_names": {"0": "a", "1": "b"}, "dataset": {"case1": case}, "numTraining": 1}
    (entry,) = read(tmp_path, listing).entries
    assert (entry.name, entry.images, entry.label) == ("case1", ("x/1.nii.gz", "y/1.nii.gz"), "/l/1.nii.gz")


def test_the_order_of_regions_is_checked(tmp_path: Path) -> None:
    regions = {**NNUNET, "labels": {"background": 0, "whole": [1, 2], "core": [2]}}
    assert read(tmp_path, {**regions, "regions_class_order": [1, 2]}).classes == {"whole": (1, 2), "core": (2,)}
    with pytest.raises(DataError, match=r"regions_class_order is \[1\] for 2 classes"):
        read(tmp_path, {**regions, "regions_class_order": [1]})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({**NNUNET, "chanel_names": {}}, "unknown key 'chanel_names'. Did you mean channel_names"),
        ({**NNUNET, "sampling": 3}, "unknown key 'sampling'. Remove it"),
        ({**NNUNET, "file_ending": ".png"}, "file_ending is '.png'.*image_text_folder"),
        ({**NNUNET, "overwrite_image_reader_writer": "NaturalImage2DIO"}, "does not read NIfTI"),
        ({**NNUNET, "labels": {"background": 1, "ball": 0}}, "the background has the value 1|the value 0 belongs"),
        ({**NNUNET, "labels": {"ball": 0, "liver": 1}}, "the value 0 belongs to the class 'ball'"),
        ({**NNUNET, "labels": {"background": 0, "all": [0, 1]}}, "the value 0 belongs to the class 'all'"),
        ({**NNUNET, "labels": {"background": [1, 2], "ball": 3}}, r"the background has the value \[1, 2\]"),
        ({**NNUNET, "labels": {"ball": 2**31}}, "class 'ball'"),
        ({**NNUNET, "labels": {"ball": 1, "liver": [1]}}, r"'ball' and 'liver' have the same values \[1\]"),
        ({**DECATHLON, "labels": {"0": "liver", "1": "spleen"}}, "the value 0 belongs to the class 'liver'"),
        ({**DECATHLON, "labels": {"1": "liver", "01": "spleen"}}, "two labels with one value"),
        ({**NNUNET, "modality": {"0": "a", "1": "b"}}, "different numbers of channels: channel_names 1 and modality 2"),
        ({**NNUNET, "channel_names": {"1": "CT"}}, "channel_names is .* counted from 0"),
        ({**NNUNET, "channel_names": {}}, "does not name the channels"),
        ({**NNUNET, "numTraining": "many"}, "numTraining is 'many'"),
        ({**NNUNET, "numTraining": True}, "numTraining is True"),
        ({**NNUNET, "numValidation": 3}, "numValidation is 3, but 0 cases"),
        ({**DECATHLON, "numTraining": 3}, "numTraining is 3, but 2 cases are in the file"),
        ({**DECATHLON, "test": ["c.nii.gz"], "numTest": 5}, "numTest is 5, but 1 cases"),
        ({**DECATHLON, "training": {"a": CASE}}, "`training` is no list"),
        ({**DECATHLON, "training": [CASE, "b.nii.gz"]}, r"training\[1\] is 'b.nii.gz'"),
        ({**DECATHLON, "training": [CASE, {"image": "b.nii.gz"}]}, r"training\[1\] has no `label`"),
        ({**DECATHLON, "training": [{"image": "a.png", "label": "b.png"}]}, r"training\[0\] does not name an image"),
        ({**DECATHLON, "training": [{**CASE, "weight": 2}]}, r"training\[0\] has the unknown key 'weight'"),
        ({**DECATHLON, "training": [{**CASE, "image": ["a.nii", "b.nii"]}]}, "has 2 images for 1 channels"),
        ({**DECATHLON, "test": [], "testing": []}, "both `test` and `testing`"),
        ({**DECATHLON, "dataset": {"a": {"images": ["a.nii"], "label": "l.nii"}}}, "both `dataset` and `training`"),
        ({**NNUNET, "dataset": {"a": {"image": "a.nii", "label": "l.nii"}}}, r"dataset\[a\] has no list `images`"),
        ({**NNUNET, "dataset": {"a": {"images": ["a.nii"], "label": "l.nii"}}}, "numTraining is 2, but 1 cases"),
        ({**NNUNET, "dataset": []}, "`dataset` lists no case"),
        ({**DECATHLON, "track": "report"}, "`track` is given, but no entry has a text"),
        ({**DECATHLON, "training": [{**CASE, "fold": 0}, OTHER]}, r"training\[1\] has no `fold`"),
        ({**DECATHLON, "training": [{**CASE, "fold": "a"}, OTHER]}, r"training\[0\] has the fold 'a'"),
        ({**DECATHLON, "training": [{**CASE, "fold": 1}, {**OTHER, "fold": 2}]}, r"the folds are \[1, 2\]"),
        (
            {**DECATHLON, "training": [{**CASE, "fold": 0}, {**OTHER, "fold": 1}], "validation": [CASE]},
            "folds in `training`, and labelled cases in `validation`",
        ),
    ],
)
def test_what_is_not_used_is_refused_with_the_reason(tmp_path: Path, content: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=rf"dataset\.json: .*({message})") as caught:
        read(tmp_path, content)
    assert "\n" not in str(caught.value)
