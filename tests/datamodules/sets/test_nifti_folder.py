"""A user's own volumes: the cases, channels and splits that `dataset.json` says."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.image_sets import make_own_volumes
from tests.helpers.own_data import counts, volumes
from zoo.errors import ConfigError, DataError


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return {form: make_own_volumes(tmp_path_factory.mktemp(form), form) for form in ("decathlon", "nnunet")}


def copied(clean: dict[str, Path], tmp_path: Path, form: str, **changes: Any) -> Path:
    """A copy of the data whose listing has these keys; a key of None is removed."""
    root = Path(shutil.copytree(clean[form], tmp_path / "mine"))
    listing = {**json.loads((root / "dataset.json").read_text()), **changes}
    (root / "dataset.json").write_text(json.dumps({key: value for key, value in listing.items() if value is not None}))
    return root


def entries(root: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((root / "dataset.json").read_text())["training"]
    return found


def ids(root: Path, **options: Any) -> list[str]:
    return [case.case_id for case in volumes(root, **options).cases.values()]


def test_the_key_dataset_names_the_cases_and_their_files(clean: dict[str, Path], tmp_path: Path) -> None:
    dataset = {
        f"mine{number}": {
            "images": [f"imagesTr/case{number // 2}_{number}_0000.nii.gz"],
            "label": f"labelsTr/case{number // 2}_{number}.nii.gz",
        }
        for number in range(4)
    }
    root = copied(clean, tmp_path, "nnunet", dataset=dataset, numTraining=4)
    assert ids(root) == ["mine0", "mine1", "mine2", "mine3"]
    assert volumes(root).prepared(volumes(root).list_cases()[0]).image.shape == (1, 16, 14, 12)


def test_labelled_cases_of_validation_are_the_test_split(clean: dict[str, Path], tmp_path: Path) -> None:
    listed = entries(clean["decathlon"])
    root = copied(clean, tmp_path, "decathlon", training=listed[:4], validation=listed[4:])
    data = volumes(root, subject=r"(case\d+)_")
    assert (data.protocol, len(data.cases)) == ("listing", 6)
    assert data.split.test == ("case2_4", "case2_5")
    assert counts(data) == [2, 2, 2]
    shuffled = volumes(root, protocol="by_subject", subject=r"(case\d+)_")
    assert (shuffled.protocol, counts(shuffled)) == ("by_subject", [2, 2, 2])


def test_three_lists_are_the_three_splits(clean: dict[str, Path], tmp_path: Path) -> None:
    listed = entries(clean["decathlon"])
    root = copied(clean, tmp_path, "decathlon", training=listed[:3], validation=listed[3:4], test=listed[4:])
    split = volumes(root).split
    assert (split.train, split.val, split.test) == (
        ("case0_0", "case0_1", "case1_2"),
        ("case1_3",),
        ("case2_4", "case2_5"),
    )


def test_a_subject_in_two_lists_is_refused(clean: dict[str, Path], tmp_path: Path) -> None:
    listed = entries(clean["decathlon"])
    root = copied(clean, tmp_path, "decathlon", training=listed[:3], validation=listed[3:])
    with pytest.raises(DataError, match="subject case1 is in"):
        _ = volumes(root, subject=r"(case\d+)_").split


def test_folds_of_the_listing_are_used(clean: dict[str, Path], tmp_path: Path) -> None:
    listed = [{**entry, "fold": number // 2} for number, entry in enumerate(entries(clean["decathlon"]))]
    root = copied(clean, tmp_path, "decathlon", training=listed)
    data = volumes(root, fold=1)
    assert data.split.test == ("case1_2", "case1_3")
    assert set(data.split.train + data.split.val) == {"case0_0", "case0_1", "case2_4", "case2_5"}
    assert len(data.split.val) == 1
    assert counts(volumes(root, protocol="by_subject")) == [4, 1, 1]
    with pytest.raises(ConfigError, match=r"3 folds in it, and no --data\.fold\. Give --data\.fold, 0 to 2"):
        _ = volumes(root).split
    with pytest.raises(ConfigError, match=r"--data\.folds 5, but .* has 3 folds"):
        _ = volumes(root, fold=1, folds=5).split
    assert volumes(root, fold=1, folds=3).split == data.split


def test_the_final_splits_of_nnunet_are_taken(clean: dict[str, Path], tmp_path: Path) -> None:
    names = [f"case{number // 2}_{number}" for number in range(6)]
    folds = [{"train": [n for n in names if n not in val], "val": val} for val in (names[:2], names[2:4], names[4:])]
    path = tmp_path / "splits_final.json"
    path.write_text(json.dumps(folds))
    data = volumes(clean["nnunet"], split=str(path), fold=2)
    assert data.split.protocol == "splits_final, fold 2 of 3"
    assert data.split.test == ("case2_4", "case2_5")
    assert counts(data) == [3, 1, 2]
    with pytest.raises(ConfigError, match="3 folds in it"):
        _ = volumes(clean["nnunet"], split=str(path)).split


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([{"train": ["case0_0"], "val": ["case0_0"]}], "fold 0 has case0_0 in train and in val"),
        ([{"train": ["case0_0"]}], "fold 0 is not {train, val}"),
        ([["case0_0"]], "fold 0 is not {train, val}"),
        ([], "a list without a fold"),
        ([{"train": ["case0_0", "gone"], "val": ["case1_2"]}], "1 cases are not in nifti_folder: gone"),
    ],
)
def test_other_lists_of_folds_are_refused(clean: dict[str, Path], tmp_path: Path, content: Any, message: str) -> None:
    path = tmp_path / "splits_final.json"
    path.write_text(json.dumps(content))
    with pytest.raises((ConfigError, DataError), match=rf"splits_final\.json: {message}"):
        _ = volumes(clean["nnunet"], split=str(path), fold=0).split


def test_a_channel_without_a_name_is_refused(clean: dict[str, Path], tmp_path: Path) -> None:
    root = copied(clean, tmp_path, "nnunet")
    shutil.copy(root / "imagesTr/case0_0_0000.nii.gz", root / "imagesTr/case0_0_0001.nii.gz")
    with pytest.raises(DataError, match=r"case0_0_0001\.nii\.gz: channel 1, but dataset\.json names 1 channel\."):
        volumes(root).list_cases()


def test_the_number_of_cases_must_be_true(clean: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(DataError, match="numTraining is 7, but 6 cases are in imagesTr and labelsTr"):
        volumes(copied(clean, tmp_path, "nnunet", numTraining=7)).list_cases()


def test_a_file_with_another_ending_is_refused(clean: dict[str, Path], tmp_path: Path) -> None:
    root = copied(clean, tmp_path, "nnunet", file_ending=".nii")
    with pytest.raises(DataError, match=r"case0_0_0000\.nii\.gz: the ending is \.nii\.gz, but file_ending is \.nii "):
        volumes(root).list_cases()
    root = copied(clean, tmp_path / "b", "nnunet")
    (root / "imagesTr/case0_0_0000.nii").touch()
    with pytest.raises(DataError, match="the same case as case0_0_0000"):
        volumes(root).list_cases()


def test_capitals_and_backslashes_change_nothing(clean: dict[str, Path], tmp_path: Path) -> None:
    root = copied(clean, tmp_path, "nnunet", file_ending=".nii.gz")
    for path in [*root.glob("*/*.nii.gz")]:
        path.rename(path.with_name(path.name.replace(".nii.gz", ".NII.GZ")))
    assert ids(root) == ids(clean["nnunet"])
    listed = [{key: name.replace("/", "\\") for key, name in entry.items()} for entry in entries(clean["decathlon"])]
    assert ids(copied(clean, tmp_path / "b", "decathlon", training=listed)) == ids(clean["decathlon"])


def test_the_whole_path_names_a_case_where_all_files_have_one_name(clean: dict[str, Path], tmp_path: Path) -> None:
    root = copied(clean, tmp_path, "decathlon")
    listed = []
    for number, entry in enumerate(entries(root)):
        (root / f"p{number}").mkdir()
        for key, name in entry.items():
            (root / name).rename(root / f"p{number}" / f"{key}.nii.gz")
        listed.append({key: f"./p{number}/{key}.nii.gz" for key in entry})
    listing = json.loads((root / "dataset.json").read_text())
    (root / "dataset.json").write_text(json.dumps({**listing, "training": listed}))
    assert ids(root) == [f"p{number}-image" for number in range(6)]
    listed[1]["image"] = listed[0]["image"]
    (root / "dataset.json").write_text(json.dumps({**listing, "training": listed}))
    with pytest.raises(DataError, match="the case id 'p0-image' occurs 2 times"):
        _ = volumes(root).cases


def test_a_listing_may_name_one_file_per_channel(tmp_path: Path) -> None:
    root = make_own_volumes(tmp_path, "nnunet", 2)
    listing = json.loads((root / "dataset.json").read_text())
    del listing["numTraining"]
    listed = [
        {
            "image": [f"imagesTr/case{n // 2}_{n}_{channel:04d}.nii.gz" for channel in range(2)],
            "label": f"labelsTr/case{n // 2}_{n}.nii.gz",
        }
        for n in range(3)
    ]
    (root / "dataset.json").write_text(json.dumps({**listing, "training": listed}))
    data = volumes(root)
    assert data.prepared(data.list_cases()[0]).image.shape == (2, 16, 14, 12)


@pytest.mark.parametrize(
    ("image", "message"),
    [
        ("x" * 300 + ".nii.gz", "a part of the path has 307 bytes"),
        ("~nobody-here/a.nii", "no such file"),
        ("a\0.nii", "cannot be the name"),
    ],
)
def test_a_path_that_no_file_can_have_is_one_line(
    clean: dict[str, Path], tmp_path: Path, image: str, message: str
) -> None:
    listed = [{**entries(clean["decathlon"])[0], "image": image}]
    with pytest.raises(DataError, match=message):
        _ = volumes(copied(clean, tmp_path, "decathlon", training=listed)).cases


def test_a_name_in_another_encoding_is_one_line(clean: dict[str, Path], tmp_path: Path) -> None:
    root = copied(clean, tmp_path, "nnunet")
    for folder, end in (("imagesTr", "_0000"), ("labelsTr", "")):
        name = b"\xd7\xf3" + f"{end}.nii.gz".encode()
        (root / folder / f"case0_0{end}.nii.gz").rename(root / folder / name.decode("utf-8", "surrogateescape"))
    with pytest.raises(DataError, match=r"\\udcd7\\udcf3.*not in UTF-8.*convmv") as caught:
        _ = volumes(root).cases
    str(caught.value).encode()


def test_more_exclusive_classes_than_a_label_map_has_values_are_refused(clean: dict[str, Path], tmp_path: Path) -> None:
    many = {"background": 0, **{f"region {number}": number for number in range(1, 256)}}
    with pytest.raises(DataError, match="classes has 255 exclusive classes, more than 254"):
        volumes(copied(clean, tmp_path, "nnunet", labels=many))
    del many["region 255"]
    assert len(volumes(copied(clean, tmp_path / "b", "nnunet", labels=many)).labels.names) == 254


def test_too_few_subjects_are_no_missing_cases(clean: dict[str, Path], tmp_path: Path) -> None:
    root = copied(clean, tmp_path, "decathlon", training=entries(clean["decathlon"])[:2])
    with pytest.raises(DataError, match=r"2 subjects .*Get cases of 3 subjects or more, choose .*--data\.split"):
        _ = volumes(root).split
