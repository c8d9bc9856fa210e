"""Statistics of a data set, compared with counts by hand and with the scores of the benchmark's controls."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.run.controls import score_controls
from datamodules.analysis.mean_shape import MEAN_SHAPE, TEXT_ONLY, compute_dice, score_mean_shapes
from datamodules.analysis.statistics import describe_captions, describe_data
from datamodules.bases.base import SegDataModule
from datamodules.build import build_datamodule
from datamodules.cli import main
from tests.helpers.data_sets import make_hippocampus, make_qata
from tests.helpers.image_sets import make_mosmed, make_own_pictures
from zoo.metrics.summary import summarise
from zoo.types import LabelSpace

SMALL: dict[str, Any] = {"patch": [16, 16], "batch_size": 2, "epoch_samples": 4}


def test_parts_shapes_and_captions_are_counted(tmp_path: Path) -> None:
    data = build_datamodule("qata_cov19", "tiny", root=str(make_qata(tmp_path, 10, 4)))
    facts = describe_data(data)
    assert facts["parts"]["train"] == {"cases": 8, "subjects": 8, "empty masks": 0}
    assert facts["shape"] == {"least": [32, 32], "middle": [32, 32], "largest": [32, 32]}
    assert facts["split_hash"] == data.split_hash
    assert facts["prompt_version"] == 1
    assert facts["classes"]["infection"]["cases"] == 14
    share = np.mean([np.mean(data.prepared(case).native > 0) for case in data.cases.values()])  # type: ignore[operator]
    assert facts["classes"]["infection"]["share"] == pytest.approx(share, abs=1e-6)
    assert facts["captions"]["all"]["cases"] == 14


def test_empty_masks_are_counted_per_split(tmp_path: Path) -> None:
    data = build_datamodule("mosmed_plus", "tiny", root=str(make_mosmed(tmp_path)), protocol="published", **SMALL)
    facts = describe_data(data)
    assert sum(part["empty masks"] for part in facts["parts"].values()) == 6
    for part, counted in facts["parts"].items():
        reports = [data.index.case(name).report or "" for name in data.split.ids_of(part)]
        assert counted["empty masks"] == sum("zero infected" in text for text in reports)


def test_captions_are_counted_by_hand() -> None:
    reports = {"train": ["one", "two words", "one", ""], "val": ["x"], "test": ["one", "new", ""]}
    facts = describe_captions(reports)
    train = facts["train"]
    assert (train["cases"], train["distinct"], train["doubled"], train["empty"]) == (4, 3, 2, 1)
    assert train["words"] == {"least": 0, "middle": 1, "largest": 2}
    assert train["characters"] == {"least": 0, "middle": 3, "largest": 9}
    assert train["most frequent"][0] == {"count": 2, "caption": "one"}
    assert (facts["all"]["cases"], facts["all"]["distinct"]) == (8, 5)
    assert facts["test in train"] == {"cases": 2, "of": 3}


@pytest.mark.parametrize("exclusive", [False, True])
def test_text_alone_has_the_scores_of_the_controls(tmp_path: Path, exclusive: bool) -> None:
    data: SegDataModule
    if exclusive:
        data = build_datamodule(
            "image_text_folder", "tiny", root=str(make_own_pictures(tmp_path)), title="Mine", **SMALL
        )
    else:
        data = build_datamodule("mosmed_plus", "tiny", root=str(make_mosmed(tmp_path)), protocol="published", **SMALL)
    assert data.labels.exclusive is exclusive
    dice = score_mean_shapes(data)
    rows = score_controls(data)
    assert dice.keys() == {MEAN_SHAPE, TEXT_ONLY} == rows.keys() - {"all-background"}
    for name, value in dice.items():
        assert value == pytest.approx(summarise(rows[name]).dice, abs=1e-9)
    if not exclusive:  # the caption names the corner, which the mean over all cases does not contain
        assert dice[TEXT_ONLY] > dice[MEAN_SHAPE] + 0.1
    facts = describe_data(data)["text alone"]
    assert facts["gain"] == pytest.approx(dice[TEXT_ONLY] - dice[MEAN_SHAPE], abs=1e-3)


def test_dice_of_empty_full_and_tiny_masks() -> None:
    one = LabelSpace(("lesion",), ((1,),), exclusive=False)
    empty, full = np.zeros((1, 4, 4), np.uint8), np.ones((1, 4, 4), np.uint8)
    tiny = empty.copy()
    tiny[0, 0, 0] = 1
    assert np.isnan(compute_dice(empty, empty, one)).all()
    assert compute_dice(full, empty, one) == compute_dice(empty, tiny, one) == [0.0]
    assert compute_dice(full, full, one) == compute_dice(tiny, tiny, one) == [1.0]
    assert compute_dice(full, tiny, one) == [pytest.approx(2 / 17)]
    two = LabelSpace(("a", "b"), ((1,), (2,)))
    label = np.array([[1, 2], [0, 2]], np.uint8)
    found = compute_dice(np.array([[1, 1], [0, 0]], np.uint8), label, two)
    assert found == [pytest.approx(2 / 3), 0.0]


def test_a_data_set_without_reports_has_no_captions(tmp_path: Path) -> None:
    facts = describe_data(build_datamodule("hippocampus", "tiny", root=str(make_hippocampus(tmp_path, 5))))
    assert not {"captions", "text alone"} & facts.keys()
    assert set(facts["classes"]) == {"anterior", "posterior"}


def test_the_command_prints_tables_or_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = str(make_qata(tmp_path, 10, 4))
    assert main(["stats", "qata_cov19", "--root", root, "--size", "tiny", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["captions"]["all"]["distinct"] <= 4
    assert main(["stats", "qata_cov19", "--root", root, "--size", "tiny"]) == 0
    shown = capsys.readouterr().out
    for word in ("empty masks", "share of voxels", "most frequent captions", "text-only", "mean-shape", "of 4"):
        assert word in shown
    assert facts["captions"]["train"]["most frequent"][0]["caption"] in shown
