"""Figures of a set: counted by hand, and what text alone predicts as the benchmark's controls score it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.run.controls import score_controls
from datamodules.analysis.mean_shape import MEAN_SHAPE, TEXT_ONLY, class_dice, prior_dice
from datamodules.analysis.statistics import describe, describe_captions
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
    facts = describe(data)
    assert facts["parts"]["train"] == {"cases": 8, "subjects": 8, "empty masks": 0}
    assert facts["shape"] == {"least": [32, 32], "middle": [32, 32], "largest": [32, 32]}
    assert facts["split_hash"] == data.split_hash
    assert facts["prompt_version"] == 1
    assert facts["classes"]["infection"]["cases"] == 14
    share = np.mean([np.mean(data.prepared(case).native > 0) for case in data.cases.values()])  # type: ignore[operator]
    assert facts["classes"]["infection"]["share"] == pytest.approx(share, abs=1e-6)
    assert facts["captions"]["all"]["cases"] == 14


def test_empty_masks_are_counted_in_each_part(tmp_path: Path) -> None:
    data = build_datamodule("mosmed_plus", "tiny", root=str(make_mosmed(tmp_path)), protocol="published", **SMALL)
    facts = describe(data)
    assert sum(part["empty masks"] for part in facts["parts"].values()) == 6
    for part, counted in facts["parts"].items():
        told = [data.index.case(name).report or "" for name in data.split.part(part)]
        assert counted["empty masks"] == sum("zero infected" in text for text in told)


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
def test_text_alone_is_scored_as_the_controls_are(tmp_path: Path, exclusive: bool) -> None:
    data: SegDataModule
    if exclusive:
        data = build_datamodule(
            "image_text_folder", "tiny", root=str(make_own_pictures(tmp_path)), title="Mine", **SMALL
        )
    else:
        data = build_datamodule("mosmed_plus", "tiny", root=str(make_mosmed(tmp_path)), protocol="published", **SMALL)
    assert data.labels.exclusive is exclusive
    dice = prior_dice(data)
    rows = score_controls(data)
    assert dice.keys() == {MEAN_SHAPE, TEXT_ONLY} == rows.keys() - {"all-background"}
    for name, value in dice.items():
        assert value == pytest.approx(summarise(rows[name]).dice, abs=1e-9)
    if not exclusive:  # the caption tells the corner, which the mean over all does not know
        assert dice[TEXT_ONLY] > dice[MEAN_SHAPE] + 0.1
    facts = describe(data)["text alone"]
    assert facts["gain"] == pytest.approx(dice[TEXT_ONLY] - dice[MEAN_SHAPE], abs=1e-3)


def test_dice_of_empty_full_and_tiny_masks() -> None:
    one = LabelSpace(("lesion",), ((1,),), exclusive=False)
    empty, full = np.zeros((1, 4, 4), np.uint8), np.ones((1, 4, 4), np.uint8)
    tiny = empty.copy()
    tiny[0, 0, 0] = 1
    assert np.isnan(class_dice(empty, empty, one)).all()
    assert class_dice(full, empty, one) == class_dice(empty, tiny, one) == [0.0]
    assert class_dice(full, full, one) == class_dice(tiny, tiny, one) == [1.0]
    assert class_dice(full, tiny, one) == [pytest.approx(2 / 17)]
    two = LabelSpace(("a", "b"), ((1,), (2,)))
    label = np.array([[1, 2], [0, 2]], np.uint8)
    found = class_dice(np.array([[1, 1], [0, 0]], np.uint8), label, two)
    assert found == [pytest.approx(2 / 3), 0.0]


def test_a_set_without_reports_has_no_captions(tmp_path: Path) -> None:
    facts = describe(build_datamodule("hippocampus", "tiny", root=str(make_hippocampus(tmp_path, 5))))
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
