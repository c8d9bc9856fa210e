"""The summary of the training cases: what it measures, what it does not see, and when it is stale."""

from __future__ import annotations

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from PIL import Image

from datamodules.analysis.training_summary import (
    ForegroundIntensities,
    measure_training,
    store_summary,
)
from datamodules.bases.base import SegDataModule
from datamodules.bases.stored_summary import load_summary, origin_of, stats_command
from datamodules.build import build_datamodule
from datamodules.cli import main
from tests.helpers.data_sets import make_hippocampus, make_qata, write_nifti
from zoo.errors import DataError
from zoo.planner import plan


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make_hippocampus(tmp_path, 6)


def open_hippocampus(root: Path) -> SegDataModule:
    return build_datamodule("hippocampus", "tiny", root=str(root))


def test_the_summary_counts_the_grids_of_the_training_cases(root: Path) -> None:
    data = open_hippocampus(root)
    summary = measure_training(data)
    shapes = sorted(nib.load(case.images[0]).shape for case in data.index.cases_of("train"))
    assert sorted(grid.shape for grid in summary.grids for _ in range(grid.cases)) == shapes
    assert (summary.labels, summary.in_channels, summary.kept, summary.modality) == (3, 1, 1.0, "MR")


def test_a_changed_test_case_changes_neither_summary_nor_plan(root: Path) -> None:
    before = open_hippocampus(root)
    summary, path = store_summary(before)
    content = path.read_bytes()
    for split in ("val", "test"):
        case = before.index.cases_of(split)[0]
        assert case.label is not None
        write_nifti(case.images[0], np.zeros((60, 70, 80), np.float32))
        case.label.write_bytes(b"no image at all")
    after = open_hippocampus(root)
    assert load_summary(after) == summary
    again, same = store_summary(after)
    assert (again, same, same.read_bytes()) == (summary, path, content)
    assert plan(again).to_dict() == plan(summary).to_dict()


def test_the_summary_of_pictures_reads_no_picture_of_another_split(tmp_path: Path) -> None:
    root = make_qata(tmp_path, 6, 3)
    before = build_datamodule("qata_cov19", "tiny", root=str(root))
    summary = measure_training(before)
    for case in before.index.cases_of("val", "test"):
        case.images[0].write_bytes(b"no image at all")
    assert measure_training(build_datamodule("qata_cov19", "tiny", root=str(root))) == summary
    assert summary.grids[0].shape == Image.open(before.index.cases_of("train")[0].images[0]).size
    assert summary.cases == len(before.split.train)


def test_a_changed_training_case_makes_the_summary_stale(root: Path) -> None:
    data = open_hippocampus(root)
    store_summary(data)
    write_nifti(data.index.cases_of("train")[0].images[0], np.zeros((9, 9, 9), np.float32))
    with pytest.raises(DataError, match=r"have changed since.*Run `zoo data stats hippocampus --root .*`"):
        load_summary(open_hippocampus(root))


def test_an_absent_and_an_edited_summary_are_refused_with_the_command(root: Path) -> None:
    data = open_hippocampus(root)
    with pytest.raises(DataError, match=r"no summary of the training cases of hippocampus.*Run `zoo data stats"):
        load_summary(data)
    _, path = store_summary(data)
    content = json.loads(path.read_text(encoding="utf-8"))
    assert content["split_hash"] == data.split_hash
    content["summary"]["labels"] = 9
    path.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(DataError, match="was edited or damaged"):
        load_summary(data)


def test_each_fold_has_a_summary_of_its_own(root: Path) -> None:
    folds = [build_datamodule("hippocampus", "tiny", root=str(root), fold=fold, folds=3) for fold in (0, 1)]
    assert len({origin_of(data).path for data in folds}) == 2
    assert stats_command(folds[1]).endswith("--fold 1 --data.folds 3")


def test_intensities_are_those_of_all_values_at_once() -> None:
    values = np.random.default_rng(0).normal(90, 40, 20_001).round().astype(np.float32)
    found = ForegroundIntensities(1)
    for part in np.array_split(values, 7):
        found.add(0, part)
    (one,) = found.results()
    assert (one.low, one.high) == pytest.approx(np.percentile(values, [0.5, 99.5]), abs=1)
    assert (one.mean, one.std) == pytest.approx((values.mean(dtype=float), values.std(dtype=float)), rel=1e-5)


def test_the_command_stores_the_summary_of_a_fold(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["stats", "hippocampus", "--root", str(root), "--size", "tiny", "--fold", "1", "--json"]
    assert main([*command, "--data.folds", "3"]) == 0
    facts = json.loads(capsys.readouterr().out)
    data = build_datamodule("hippocampus", "tiny", root=str(root), fold=1, folds=3)
    assert load_summary(data).hash == facts["training"]["hash"]
    assert Path(facts["training"]["file"]) == origin_of(data).path
    assert main([*command, "--data.fold", "1"]) == 2
    assert "--fold beside --data.fold" in capsys.readouterr().err
