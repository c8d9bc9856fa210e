"""A run that the trainer limits to some batches prepares and reads only the cases of these batches."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from datamodules.bases.base import SegDataModule
from datamodules.build import build_datamodule
from datamodules.loading.loaders import ProcessShare
from datamodules.loading.samplers import case_of
from datamodules.loading.used_cases import TrainerLimits, spread_cases, used_in_evaluation, used_in_training
from tests.helpers.data_sets import make_hippocampus, make_qata
from zoo.errors import ConfigError
from zoo.types import Case
from zoo.utils.batch_limits import limit_batches

DEBUG = {f"limit_{key}_batches": 2 for key in ("train", "val", "test", "predict")} | {"max_epochs": 1, "max_steps": -1}


def limited(data: SegDataModule, **changes: Any) -> SegDataModule:
    """Give the data a trainer with the limits of the preset debug."""
    limits = {"accumulate_grad_batches": 1, "global_rank": 0, "world_size": 1} | DEBUG | changes
    data.trainer = SimpleNamespace(**limits)  # type: ignore[assignment]
    return data


def entries(cache: Path, name: str) -> int:
    return len(list((cache / "data" / name).glob("[!.]*")))


def test_a_limited_run_prepares_only_the_volumes_that_it_reads(tmp_path: Path, own_cache: Path) -> None:
    root = make_hippocampus(tmp_path, n=20)
    data = limited(build_datamodule("hippocampus", "tiny", root=str(root), batch_size=2, epoch_samples=20))
    data.setup("fit")
    drawn = {case_of(draw, len(data.split.train), data.seed) for draw in range(4)} | {0}
    prepared = len(drawn) + min(2, len(data.split.val)) + min(2, len(data.split.test))
    assert entries(own_cache, "hippocampus") == prepared < len(data.cases)
    for loader, number in ((data.train_dataloader(), 2), (data.val_dataloader(), 2), (data.test_dataloader(), 2)):
        assert len(list(loader)) <= number, "threads make no batch ahead of the limit"
    assert entries(own_cache, "hippocampus") == prepared


def test_a_limited_run_prepares_only_the_pictures_that_it_reads(tmp_path: Path, own_cache: Path) -> None:
    root, options = make_qata(tmp_path), {"batch_size": 1, "epoch_samples": 4}
    data = limited(build_datamodule("qata_cov19", "tiny", root=str(root), **options), limit_train_batches=1)
    data.setup("fit")
    [table] = (own_cache / "data" / "qata_cov19").glob("*/table.json")
    used = {case.case_id for case in data.index.cases_of("val")[:2] + data.index.cases_of("test")[:2]}
    assert all(case_id in table.read_text() for case_id in used)
    assert any(case.case_id not in table.read_text() for case in data.cases.values())
    whole = build_datamodule("qata_cov19", "tiny", root=str(root), **options)
    whole.setup("fit")
    again = limited(build_datamodule("qata_cov19", "tiny", root=str(root), **options), limit_train_batches=2)
    again.setup("fit")
    assert entries(own_cache, "qata_cov19") == 2, "the entry of all pictures serves a limited run too"


def test_without_limits_every_case_is_prepared(tmp_path: Path, own_cache: Path) -> None:
    data = build_datamodule("hippocampus", "tiny", root=str(make_hippocampus(tmp_path)))
    data.setup("fit")
    assert entries(own_cache, "hippocampus") == len(data.cases)


@pytest.mark.parametrize(
    ("limits", "draws"),
    [
        (TrainerLimits(train=2, epochs=1), [0, 1, 2, 3]),
        (TrainerLimits(train=1, epochs=2), [0, 1, 10, 11]),
        (TrainerLimits(train=0.4, epochs=1), [0, 1, 2, 3]),
        (TrainerLimits(steps=1, accumulate=2), [0, 1, 2, 3]),
        (TrainerLimits(steps=6, epochs=100), list(range(12))),
        (TrainerLimits(train=0, epochs=5), None),
    ],
)
def test_the_used_training_cases_are_those_of_the_draws(limits: TrainerLimits, draws: list[int] | None) -> None:
    cases = [f"case{number}" for number in range(50)]
    used = used_in_training(cases, samples=11, batch_size=2, seed=3, limits=limits)
    expected = set() if draws is None else {cases[0], *(cases[case_of(draw, 50, 3)] for draw in draws)}
    assert set(used) == expected


def test_a_run_without_an_end_uses_every_training_case() -> None:
    assert used_in_training(list("abc"), 4, 2, 0, TrainerLimits(train=1)) == list("abc")
    assert used_in_training(list("abc"), 4, 2, 0, TrainerLimits(epochs=100)) == list("abc")


def test_the_used_evaluation_cases_are_those_of_all_processes() -> None:
    cases = list(range(10))
    assert used_in_evaluation(cases, 1, world=1, limit=2) == [0, 1]
    assert used_in_evaluation(cases, 2, world=2, limit=1) == [0, 1, 2, 3]
    assert used_in_evaluation(cases, 1, world=3, limit=1.0) == cases
    assert used_in_evaluation(cases, 1, world=1, limit=0) == []
    assert [limit_batches(10, limit) for limit in (3, 0.25, 1.0)] == [3, 2, 10]


def test_the_limits_of_lightning_are_read() -> None:
    from lightning.pytorch import Trainer

    quick = Trainer(fast_dev_run=True, accelerator="cpu", logger=False, enable_checkpointing=False)
    share = ProcessShare.of(quick)
    assert (share.limits.train, share.limits.val, share.limits.test, share.limits.steps) == (1, 1, 1, 1)
    assert TrainerLimits.of(None) == TrainerLimits()


def some_cases(count: int) -> list[Case]:
    return [Case(f"case{number:02}", images=(), label=None, subject="") for number in range(count)]


@pytest.mark.parametrize(
    ("count", "expected"), [(1, [5]), (2, [2, 7]), (4, [1, 3, 6, 8]), (10, range(10)), (11, range(10))]
)
def test_the_validated_cases_lie_at_even_distances(count: int, expected: list[int]) -> None:
    cases = some_cases(10)
    assert spread_cases(cases, count) == [cases[number] for number in expected]


def test_the_validated_cases_do_not_depend_on_the_file_order() -> None:
    cases = some_cases(23)
    assert {case.key for case in spread_cases(cases, 7)} == {case.key for case in spread_cases(cases[::-1], 7)}


def test_only_some_val_cases_are_validated_and_all_test_cases_are_tested() -> None:
    options: dict[str, Any] = {
        "counts": [2, 6, 3],
        "pixels": 32,
        "patch": [32, 32],
        "batch_size": 2,
        "epoch_samples": 2,
    }
    data = build_datamodule("phantom_chest", "tiny", **options, val_cases=4)
    data.setup("fit")
    validated = [case_id for batch in data.val_dataloader() for case_id in batch["case_id"]]
    assert validated == [case.case_id for case in spread_cases(data.index.cases_of("val"), 4)]
    assert len(data.split.val) == 12
    assert sum(len(batch["case_id"]) for batch in data.test_dataloader()) == len(data.split.test)


def test_the_validated_cases_need_no_second_entry_of_all_pictures(tmp_path: Path, own_cache: Path) -> None:
    root, options = make_qata(tmp_path), {"batch_size": 1, "epoch_samples": 4}
    for val_cases in (1, None):
        build_datamodule("qata_cov19", "tiny", root=str(root), val_cases=val_cases, **options).setup("fit")
    assert entries(own_cache, "qata_cov19") == 1


@pytest.mark.parametrize("count", [0, -1])
def test_a_validation_without_a_case_is_refused(count: int) -> None:
    with pytest.raises(ConfigError, match=rf"--data.val_cases {count}: no case would be validated"):
        build_datamodule("phantom_chest", "tiny", val_cases=count)
