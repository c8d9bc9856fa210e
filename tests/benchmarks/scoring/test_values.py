"""What the values of label images mean: the data card, class numbers, nnU-Net's listing, or the user."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.scoring.values import ClassValues, choose_values
from zoo.errors import ConfigError, DataError, RunError, UnknownNameError
from zoo.types import LabelSpace

HEART = LabelSpace(("left ventricle", "myocardium"), ((500,), (205,)))
LESION = LabelSpace(("lesion",), ((7,),), exclusive=False)
REGIONS = LabelSpace(("whole_tumor", "core"), ((1, 2), (2,)), exclusive=False)
FILE = Path("a.nii.gz")


def read(values: ClassValues, *raw: int) -> list[Any]:
    found: list[Any] = values.classes_of(np.array([raw], np.int32), FILE).tolist()
    return found


def listing(folder: Path, labels: object) -> Path:
    (folder / "dataset.json").write_text(json.dumps({"labels": labels}))
    return folder


def test_by_default_the_values_are_those_of_the_data_card_and_left_out_classes_are_background(tmp_path: Path) -> None:
    values = choose_values("", tmp_path, HEART, (600,))
    assert read(values, 0, 500, 205, 600) == [[0, 1, 2, 0]]
    with pytest.raises(DataError, match=r"unexpected label values \[1\].*500 left ventricle.*--values") as caught:
        read(values, 1)
    assert str(caught.value).startswith("a.nii.gz: ")


def test_class_numbers_are_chosen_by_a_word_and_found_in_the_folder_of_a_run(tmp_path: Path) -> None:
    assert read(choose_values("numbers", tmp_path, HEART, ()), 0, 1, 2) == [[0, 1, 2]]
    for name in ("config.yaml", "manifest.json"):
        (tmp_path / name).write_text("{}")
    (tmp_path / "predictions").mkdir()
    assert choose_values("", tmp_path / "predictions", HEART, ()).kind == "numbers"
    assert choose_values("card", tmp_path / "predictions", HEART, ()).kind == "card"
    assert choose_values("", tmp_path, HEART, ()).kind == "card"


def test_a_single_class_may_be_1_or_255_whatever_its_value_is(tmp_path: Path) -> None:
    values = choose_values("", tmp_path, LESION, ())
    assert [read(values, 0, one) for one in (1, 255, 7)] == [[[[0, 1]]]] * 3
    for strange in ((1, 7), (1, 255), (3,)):
        with pytest.raises(DataError, match="unexpected label values"):
            read(values, *strange)
    assert read(choose_values("", tmp_path, LESION, (1,)), 0, 1) == [[[0, 0]]], (
        "1 is a class that the protocol leaves out"
    )


def test_the_user_says_which_value_is_which_class(tmp_path: Path) -> None:
    values = choose_values("1=myocardium, 2=left ventricle,3=left ventricle,9=background", tmp_path, HEART, ())
    assert read(values, 0, 1, 2, 3, 9) == [[0, 2, 1, 1, 0]]
    regions = choose_values("1=whole_tumor,4=whole_tumor,4=core", tmp_path, REGIONS, ())
    assert read(regions, 0, 1, 4) == [[[0, 1, 1]], [[0, 0, 1]]]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("1", "--values has '1'"),
        ("x=myocardium", "--values has 'x=myocardium'"),
        ("1=myocardium,", "--values has ''"),
        ("-1=myocardium", "--values has '-1=myocardium'"),
        ("1=myocardium", "no value for left ventricle"),
        ("0=myocardium,1=left ventricle", "0 for a class"),
        ("1=myocardium,1=left ventricle", "the value 1 for two classes"),
    ],
)
def test_a_wrong_mapping_of_values_is_refused(given: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=message):
        choose_values(given, tmp_path, HEART, ())


def test_an_unknown_class_in_a_mapping_is_refused_with_the_nearest_name(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match=r"Unknown class 'myocard'.*Did you mean myocardium"):
        choose_values("1=myocard,2=left ventricle", tmp_path, HEART, ())


@pytest.mark.parametrize(
    "labels",
    [
        {"background": 0, "Left_Ventricle": 1, "Myocardium": 2, "atrium": 3},
        {"0": "background", "1": "left ventricle", "2": "myocardium", "3": "atrium"},
    ],
)
def test_the_listing_of_nnunet_gives_the_values_by_the_names_of_the_classes(labels: object, tmp_path: Path) -> None:
    values = choose_values("", listing(tmp_path, labels), HEART, ())
    assert read(values, 0, 1, 2, 3) == [[0, 1, 2, 0]]


def test_the_regions_of_nnunet_are_read(tmp_path: Path) -> None:
    values = choose_values("", listing(tmp_path, {"background": 0, "whole tumor": [1, 2], "core": [2]}), REGIONS, ())
    assert read(values, 0, 1, 2) == [[[0, 1, 1]], [[0, 0, 1]]]


def test_a_listing_with_other_names_is_noted_or_refused(tmp_path: Path) -> None:
    values = choose_values("", listing(tmp_path, {"background": 0, "LV": 500, "MYO": 205}), HEART, ())
    assert values.kind == "card"
    assert "other names of classes than in the data card (LV, MYO)" in values.note
    with pytest.raises(RunError, match=r"its classes are LV, MYO, not left ventricle, myocardium.*--values"):
        choose_values("", listing(tmp_path, {"background": 0, "LV": 1, "MYO": 2}), HEART, ())
    assert choose_values("numbers", tmp_path, HEART, ()).kind == "numbers", "the user's word comes first"
    with pytest.raises(RunError, match="its classes are Myocardium, LV"):
        choose_values("", listing(tmp_path, {"Myocardium": 500, "LV": 205}), HEART, ())


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"labels": {"a": "b"}}', '{"labels": {"a": [1.5]}}'])
def test_a_listing_that_cannot_be_read_is_refused(content: str, tmp_path: Path) -> None:
    (tmp_path / "dataset.json").write_text(content)
    with pytest.raises(RunError, match=r"dataset\.json: .*--values"):
        choose_values("", tmp_path, HEART, ())
