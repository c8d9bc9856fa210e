"""Scores of label images: those of `zoo test`, on the grid of the image, or one line that says what is wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from benchmarks.scoring.masks import read_truth
from benchmarks.scoring.score import Method, score_label_images
from datamodules.bases.base import SegDataModule
from datamodules.bases.own_data import OwnDataModule
from datamodules.build import build_datamodule
from tests.helpers.data_sets import REPLICAS, make_hippocampus
from tests.helpers.image_sets import make_own_pictures, make_own_volumes
from tests.helpers.label_images import copy_volumes
from tests.helpers.own_data import pictures, volumes
from tests.helpers.query_set import CARD, TwoQueries, make_query_set
from zoo.errors import DataError, RunError
from zoo.io import prediction_suffix, write_prediction
from zoo.metrics.case_scores import METRIC_VERSION, CaseScore
from zoo.metrics.scored_cases import ScoredCases
from zoo.registry import DATA
from zoo.types import Case, Native, Prediction


def scores_of(data: SegDataModule, folder: Path, **more: Any) -> list[CaseScore]:
    return list(score_label_images(data, Method("Ours", folder, **more)).part.rows)


def predict(data: SegDataModule, folder: Path) -> list[CaseScore]:
    """Write label images with mistakes as `zoo predict` does, and return their rows as `zoo test` makes them."""
    scored = ScoredCases(data.labels, float(data.facts["tolerance"]))
    scored.reset(data)
    for case in data.index.cases_of("test"):
        truth = read_truth(data, case)
        mask = np.roll(truth.label, 1, axis=-1)
        prediction = Prediction(case.case_id, mask, truth.geometry, case.query)
        write_prediction(folder / f"{case.key}{prediction_suffix(truth.geometry)}", prediction)
        scored.score([prediction], [Native(truth.geometry, truth.label)])
    return sorted(scored.rows, key=lambda row: (*row.key, row.index))


@pytest.mark.parametrize(
    "name",
    [
        "phantom_chest",
        "phantom_abdomen",
        "phantom_findings",
        "hippocampus",
        "mmwhs_ct",
        "brats",
        "kvasir",
        "chaos",
        "rexgroundingct",
        "biomedsegfm",
    ],
)
def test_the_label_images_of_the_zoo_have_the_scores_of_its_test(name: str, tmp_path: Path) -> None:
    make = REPLICAS.get(name)
    options: dict[str, Any] = {"root": str(make(tmp_path))} if make else {"counts": [2, 1, 2]}
    data = build_datamodule(name, "tiny", **options)
    expected = predict(data, tmp_path / "predictions")
    found = scores_of(data, tmp_path / "predictions", values="numbers")
    assert sorted(found, key=lambda row: (*row.key, row.index)) == expected
    assert {row.status for row in found if row.dice < 1} >= {"ok"}


@pytest.mark.parametrize("name", ["mmwhs_ct", "brats", "kvasir"])
def test_label_images_with_the_values_of_the_labels_are_read_by_the_data_card(name: str, tmp_path: Path) -> None:
    data = build_datamodule(name, "tiny", root=str(REPLICAS[name](tmp_path)))
    for case in data.index.cases_of("test"):
        assert case.label is not None
        target = tmp_path / "there" / f"{case.case_id}{''.join(case.label.suffixes[-2:])}"
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(case.label.read_bytes())
    rows = scores_of(data, tmp_path / "there")
    assert {row.dice for row in rows if row.status != "absent"} == {1.0}


def test_regions_are_read_from_one_picture_each(tmp_path: Path) -> None:
    """`zoo predict` writes so where regions overlap, and `CASE/CLASS.png` is the form of other programs."""
    root = make_own_pictures(tmp_path, split=True)
    (root / "dataset.yaml").write_text("classes: {spot: [1, 2], blue spot: 2}\nchannels: 3\nlaterality: image\n")
    data = pictures(root)
    expected = predict(data, tmp_path / "predictions")
    names = sorted(path.name for path in (tmp_path / "predictions").iterdir())
    assert names[:2] == ["pictures-p10-1.png", "pictures-p10-2.png"]
    assert sorted(scores_of(data, tmp_path / "predictions"), key=lambda row: (*row.key, row.index)) == expected
    for path in (tmp_path / "predictions").iterdir():
        case, _, number = path.stem.removeprefix("pictures-").partition("-")
        (tmp_path / "inside" / case).mkdir(parents=True, exist_ok=True)
        path.rename(tmp_path / "inside" / case / f"{data.labels.names[int(number) - 1]}.png")
    assert sorted(scores_of(data, tmp_path / "inside"), key=lambda row: (*row.key, row.index)) == expected
    (tmp_path / "inside" / "p10" / "spot.png").unlink()
    with pytest.raises(DataError, match="no file of the class spot"):
        scores_of(data, tmp_path / "inside")


def test_masks_of_exclusive_classes_may_not_have_a_common_voxel(tmp_path: Path) -> None:
    data = pictures(make_own_pictures(tmp_path, split=True))
    for case in data.index.cases_of("test"):
        for name in data.labels.names:
            path = tmp_path / "there" / case.case_id / f"{name}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.full(read_truth(data, case).label.shape, 255, np.uint8)).save(path)
    with pytest.raises(DataError, match="two classes have a common voxel"):
        scores_of(data, tmp_path / "there")


def test_classes_in_colour_are_read_by_colour_or_by_number(tmp_path: Path) -> None:
    root = make_own_pictures(tmp_path, split=True)
    colours = np.array([[0, 0, 0], [255, 0, 0], [0, 0, 255]], np.uint8)
    for path in sorted((root / "masks").iterdir()):
        Image.fromarray(colours[np.asarray(Image.open(path))]).save(path)
    (root / "dataset.yaml").write_text("classes: {red spot: '#ff0000', blue spot: '#0000ff'}\nchannels: 3\n")
    data = pictures(root)
    expected = predict(data, tmp_path / "gray")
    assert sorted(scores_of(data, tmp_path / "gray"), key=lambda row: (*row.key, row.index)) == expected
    for path in (tmp_path / "gray").iterdir():
        (tmp_path / "colour").mkdir(exist_ok=True)
        Image.fromarray(colours[np.asarray(Image.open(path))]).save(tmp_path / "colour" / path.name)
    assert sorted(scores_of(data, tmp_path / "colour"), key=lambda row: (*row.key, row.index)) == expected


def test_each_query_is_scored_with_its_own_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(DATA, "_sources", {**DATA._find(), CARD.name: lambda: CARD})
    root = tmp_path / "two_queries"
    root.mkdir()
    data = TwoQueries(root=str(make_query_set(root)), patch=[32, 32])
    expected = predict(data, tmp_path / "predictions")
    assert {row.query for row in expected} == {"left", "right"}
    assert sorted(scores_of(data, tmp_path / "predictions"), key=lambda row: (*row.key, row.index)) == expected


def rewrite(path: Path, change: Any = None, affine: Any = None) -> None:
    image = nib.load(path)
    array = np.asarray(image.dataobj)
    nib.save(
        nib.Nifti1Image(array if change is None else change(array), image.affine if affine is None else affine), path
    )


@pytest.fixture
def task(tmp_path: Path) -> Path:
    return make_hippocampus(tmp_path)


def test_a_file_whose_axes_run_the_other_way_is_the_same_image(task: Path, tmp_path: Path) -> None:
    data = build_datamodule("hippocampus", "tiny", root=str(task))
    folder = copy_volumes(task, tmp_path / "there")
    expected = scores_of(data, folder)
    for path in folder.iterdir():
        image = nib.load(path)
        nib.save(image.as_reoriented(np.array([[1, -1], [0, 1], [2, -1]])), path)
    assert scores_of(data, folder) == expected


@pytest.mark.parametrize(
    ("change", "affine", "message"),
    [
        (lambda array: array[:-1], None, "shape"),
        (None, np.diag([-1.0, 1.0, 1.0, 1.0]), "the affine is not that of"),
        (None, np.diag([1.0, 1.0, 2.0, 1.0]), "the spacing is 1 x 1 x 2, not 1 x 1 x 1 mm"),
        (None, np.array([[1.0, 0, 0, 9], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]), "the origin is 9 mm off"),
        (lambda array: array.astype(np.float32) * 0.4, None, "values that are not whole numbers"),
        (lambda array: array + np.uint8(7), None, "unexpected label values"),
    ],
)
def test_a_file_on_another_grid_or_with_other_values_is_named(
    change: Any, affine: NDArray[Any] | None, message: str, task: Path, tmp_path: Path
) -> None:
    data = build_datamodule("hippocampus", "tiny", root=str(task))
    folder = copy_volumes(task, tmp_path / "there")
    names = [f"{name}.nii.gz" for name in data.split.test]
    rewrite(folder / names[0], change, affine)
    with pytest.raises(DataError, match=message) as caught:
        scores_of(data, folder)
    assert str(caught.value).startswith(str(folder / names[0]))
    for name in names[1:]:
        rewrite(folder / name, change, affine)
    with pytest.raises(DataError, match="2 label images cannot be scored") as caught:
        scores_of(data, folder)
    assert all(name in str(caught.value) for name in names)


def test_a_picture_is_no_prediction_of_a_volume(task: Path, tmp_path: Path) -> None:
    data = build_datamodule("hippocampus", "tiny", root=str(task))
    folder = tmp_path / "there"
    folder.mkdir()
    for name in data.split.test:
        Image.new("L", (20, 20)).save(folder / f"{name}.png")
    with pytest.raises(DataError, match="Save it as NIfTI, because the image has a position"):
        scores_of(data, folder)


def test_the_labels_themselves_are_refused(task: Path) -> None:
    data = build_datamodule("hippocampus", "tiny", root=str(task))
    with pytest.raises(DataError, match="the label of the case itself"):
        scores_of(data, task / "labelsTr")


def test_missing_cases_are_named_or_count_as_empty(task: Path, tmp_path: Path) -> None:
    data = build_datamodule("hippocampus", "tiny", root=str(task))
    first, second = data.split.test
    folder = copy_volumes(task, tmp_path / "there", cases=[first])
    with pytest.raises(RunError, match=f"no file of 1 of 2 test cases: {second}.*--missing-as-empty"):
        scores_of(data, folder)
    scored = score_label_images(data, Method("Ours", folder, missing_as_empty=True))
    assert scored.part.told["missing_as_empty"] == [second]
    assert {row.status for row in scored.part.rows if row.case_id == second} == {"missed"}
    (folder / f"{first}.nii.gz").rename(folder / "other.nii.gz")
    with pytest.raises(RunError, match="Name each file by its case: other is none") as caught:
        scores_of(data, folder, missing_as_empty=True)
    assert first in str(caught.value)
    (folder / "other.nii.gz").rename(folder / f"{first}.mha")
    with pytest.raises(RunError, match=f"Save NIfTI or pictures: {first}.mha is not read"):
        scores_of(data, folder)


def test_the_scores_record_what_was_compared(tmp_path: Path) -> None:
    data = volumes(make_own_volumes(tmp_path))
    for case in data.index.cases_of("test"):
        copied(case, tmp_path / "there")
    about = score_label_images(data, Method("Ours", tmp_path / "there", stated={"budget": "3 epochs"})).part.about
    assert isinstance(data, OwnDataModule)
    assert about["data_hash"] == data.data_hash
    assert (about["split_hash"], about["metric_version"]) == (data.split_hash, METRIC_VERSION)
    assert about["subjects"] == {case.case_id: case.subject for case in data.index.cases_of("test")}
    told = about["scored"]
    assert (told["data"], told["title"], told["stated"]) == ("nifti_folder", "Mine", {"budget": "3 epochs"})
    assert told["values"] == {"from": "card", "left_kidney": [1], "liver": [2]}
    assert len(told["label_images"]) == 64


def copied(case: Case, folder: Path) -> None:
    assert case.label is not None
    folder.mkdir(exist_ok=True)
    (folder / f"{case.case_id}.nii.gz").write_bytes(case.label.read_bytes())
