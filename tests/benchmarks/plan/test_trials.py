"""A trial of `zoo bench tune` trains and validates without the test part."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.plan.expand import DataEntry, Matrix, make_plan
from benchmarks.plan.job import Plan, Settings
from benchmarks.plan.search_space import Dimension, Space
from benchmarks.plan.trials import NO_TEST_CASES, Search, make_trials, own_terms
from datamodules.build import build_datamodule
from tests.helpers.data_sets import make_hippocampus
from zoo.cli.main import main
from zoo.registry import MODELS
from zoo.utils.class_args import argument_names
from zoo.utils.plugins import import_object

SPACE = Space({"lr": Dimension(log=(1e-4, 1e-2))})


def trials_of(root: Path, trials: int) -> Plan:
    short = (("data.epoch_samples", "2"), ("data.patch", "[16,16,16]"), ("trainer.max_epochs", "1"))
    matrix = Matrix(["unet"], {"hippocampus": DataEntry(str(root))}, [0], Settings("tiny", "cpu", None, short))
    return make_trials(make_plan(matrix), Search(SPACE, trials))


def test_a_trial_opens_no_file_of_a_test_case(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "cache"))
    root = make_hippocampus(tmp_path, 12)
    split = build_datamodule("hippocampus", "tiny", root=str(root)).split
    assert split.test
    assert split.val
    for case in split.test:
        for folder in ("imagesTr", "labelsTr"):
            (root / folder / f"{case}.nii.gz").write_bytes(b"no image")
    (job,) = trials_of(root, 1).jobs
    assert main(["fit", *job.flags(), "--out", str(tmp_path / "trial")]) == 0
    opened = replace(job, overrides=tuple(pair for pair in job.overrides if pair != NO_TEST_CASES))
    assert main(["fit", *opened.flags(), "--out", str(tmp_path / "other")]) == 2, "the files are really unreadable"


def test_the_same_seed_gives_the_same_trials_and_another_seed_gives_others() -> None:
    first = SPACE.points(8, 0)
    assert first == SPACE.points(8, 0)
    assert first == SPACE.points(16, 0)[:8]
    assert first != SPACE.points(8, 1)
    assert all(1e-4 <= float(point["lr"]) <= 1e-2 for point in first)
    assert len({point["lr"] for point in first}) == 8


@pytest.mark.parametrize("model", ["bipvl", "tevia", "tmca", "lan_guide", "film", "unet"])
def test_the_own_term_of_a_card_is_an_argument_of_its_class(model: str) -> None:
    card = MODELS.get(model)
    matrix = Matrix([model], {"phantom_chest": DataEntry()}, [0], Settings("tiny", "cpu"))
    names = own_terms(make_plan(matrix).jobs[0])
    assert bool(names) == (model in ("bipvl", "tevia", "tmca"))
    assert set(names) <= argument_names(import_object(str(card.config["model"]["class_path"])))
