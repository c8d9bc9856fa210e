"""Cases without a label: they are predicted, and no part of training and scores."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tests.helpers.image_sets import make_own_pictures, make_own_volumes
from tests.helpers.own_data import counts, pictures, volumes
from zoo.callbacks.predictions import Predictions
from zoo.errors import DataError
from zoo.types import Geometry, Prediction


def predicted(data: Any) -> dict[str, bool]:
    """The cases of the prediction, each with whether it has a label on its native grid."""
    data.setup("predict")
    return {
        case_id: native.label is not None
        for batch in data.predict_dataloader()
        for case_id, native in zip(batch["case_id"], batch["native"], strict=True)
    }


def edit_rows(root: Path, edit: Any) -> None:
    table = root / "cases.csv"
    rows = [line.split(",") for line in table.read_text(encoding="utf-8-sig").splitlines()]
    table.write_text("\n".join(",".join(row) for row in [rows[0], *map(edit, rows[1:])]) + "\n")


def test_rows_of_the_split_predict_are_predicted_beside_the_test_cases(tmp_path: Path) -> None:
    root = make_own_pictures(tmp_path, split=True)
    edit_rows(root, lambda row: row if row[-1] != "validation" else [row[0], "", *row[2:-1], "predict"])
    data = pictures(root, protocol="by_subject")
    assert len(data.cases) == 10
    found = predicted(data)
    assert {case_id for case_id, has_label in found.items() if has_label} == set(data.split.test)
    assert {case_id for case_id, has_label in found.items() if not has_label} == {"pictures-p6", "pictures-p7"}
    batch = next(batch for batch in data.predict_dataloader() if "pictures-p6" in batch["case_id"])
    assert batch["reports"][batch["case_id"].index("pictures-p6")] == "A spot in the bottom left."


def test_a_table_without_masks_is_for_prediction_only(tmp_path: Path) -> None:
    root = make_own_pictures(tmp_path)
    edit_rows(root, lambda row: [row[0], "", *row[2:]])
    assert len(predicted(pictures(root))) == 12
    with pytest.raises(DataError, match=r"mine: no case has a label\. .*zoo predict"):
        pictures(root).setup("fit")
    (root / "cases.csv").write_text("image,text\npictures/p3.jpg,A spot.\n")
    assert predicted(pictures(root)) == {"pictures-p3": False}
    (root / "cases.csv").write_text("image,text\npictures/p3.jpg,\n")
    with pytest.raises(DataError, match=r"p3\.jpg: the caption is empty"):
        predicted(pictures(root))


def test_new_scans_in_the_layout_of_training_data_are_predicted(tmp_path: Path) -> None:
    root = make_own_volumes(tmp_path, "nnunet")
    assert predicted(volumes(root)) == dict.fromkeys(volumes(root).split.test, True)
    (root / "imagesTs").mkdir()
    (root / "imagesTr/case0_0_0000.nii.gz").rename(root / "imagesTs/new_0000.nii.gz")
    (root / "labelsTr/case0_0.nii.gz").unlink()
    listing = json.loads((root / "dataset.json").read_text())
    (root / "dataset.json").write_text(json.dumps({**listing, "numTraining": 5, "numTest": 1}))
    data = volumes(root)
    assert predicted(data) == {**dict.fromkeys(data.split.test, True), "new": False}
    shutil.rmtree(root / "labelsTr")
    assert predicted(volumes(root)) == dict.fromkeys(
        ["case0_1", "case1_2", "case1_3", "case2_4", "case2_5", "new"], False
    )
    with pytest.raises(DataError, match=r"labelsTr/case0_1\.nii\.gz: no such file"):
        volumes(root).setup("fit")
    shutil.rmtree(root / "imagesTr")
    assert predicted(volumes(root)) == {"new": False}


def test_the_cases_of_a_list_without_labels_are_predicted(tmp_path: Path) -> None:
    root = make_own_volumes(tmp_path)
    listing = json.loads((root / "dataset.json").read_text())
    last = listing["training"].pop()
    (root / "dataset.json").write_text(json.dumps({**listing, "test": [last["image"]]}))
    data = volumes(root)
    assert (data.protocol, counts(data)) == ("by_subject", [3, 1, 1])
    assert predicted(data) == {**dict.fromkeys(data.split.test, True), "case2_5": False}
    (root / "dataset.json").write_text(json.dumps({**listing, "test": [listing["training"][0]["image"]]}))
    double = volumes(root, split=_tested(tmp_path, "case0_0"))
    with pytest.raises(DataError, match=r"case0_0\.nii\.gz: the name of a case with a label .*Rename it"):
        predicted(double)


def _tested(folder: Path, case_id: str) -> str:
    path = folder / "split.json"
    path.write_text(json.dumps({"protocol": "p", "train": ["case1_2"], "val": ["case1_3"], "test": [case_id]}))
    return str(path)


@pytest.mark.parametrize(
    ("trained", "folder"),
    [({}, "p"), ({"split_hash": "a1"}, "p"), ({"split_hash": "b2"}, "p-a1"), ({"data_hash": "d4"}, "p-c3")],
)
def test_predictions_of_other_data_replace_none_of_the_run(
    tmp_path: Path, trained: dict[str, str], folder: str
) -> None:
    data = SimpleNamespace(split_hash="a1", data_hash="c3", cases_to_predict=(["case"], []))
    callback = Predictions(tmp_path / "p", trained)
    callback.on_predict_start(SimpleNamespace(datamodule=data), SimpleNamespace())  # type: ignore[arg-type]
    assert callback.folder == tmp_path / folder


def test_predictions_of_unlabelled_cases_are_written_apart(tmp_path: Path) -> None:
    geometry = Geometry(None, (4, 4), ((0, 4), (0, 4)), (1.0, 1.0), "px")
    callback, model = Predictions(tmp_path / "predictions"), SimpleNamespace()
    trainer: Any = SimpleNamespace(datamodule=SimpleNamespace(unlabelled={("new", ""): None}), world_size=1)
    outputs = [Prediction(name, np.ones((1, 4, 4), np.uint8), geometry) for name in ("old", "new")]
    callback.on_predict_start(trainer, model)  # type: ignore[arg-type]
    callback.on_predict_batch_end(trainer, model, outputs, None, 0)  # type: ignore[arg-type]
    callback.on_predict_epoch_end(trainer, model)  # type: ignore[arg-type]
    assert (callback.written, callback.written_unlabelled) == (1, 1)
    written = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.png")}
    assert written == {"predictions/old.png", "predictions-unlabelled/new.png"}
