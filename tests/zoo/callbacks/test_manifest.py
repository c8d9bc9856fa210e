"""The budget in the manifest of a run; no rank waits for another one."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from lightning.pytorch import LightningModule

from zoo import make_facts
from zoo.callbacks.manifest import (
    RunRecord,
    budget,
    check_same_data,
    count_cases,
    describe_hardware,
    describe_training,
    scoring_conditions,
)
from zoo.errors import RunError
from zoo.losses.segmentation import LossOptions
from zoo.models.unet import UNet


class _Trainer:
    """The attributes of a trainer that `RunRecord` reads; all ranks count the steps together."""

    world_size = 2
    max_epochs = 3
    max_steps = -1
    accumulate_grad_batches = 1
    gradient_clip_val = None
    datamodule = None

    def __init__(self, zero: bool = True, limit: int | float | None = 1.0) -> None:
        self.is_global_zero = zero
        self.limit_train_batches = limit
        self.counted = 0

    @property
    def estimated_stepping_batches(self) -> int:
        self.counted += 1
        return 6


def test_samples_that_fill_no_batch_are_not_counted() -> None:
    trainer: Any = _Trainer()
    assert budget(trainer, SimpleNamespace(batch_size=16, epoch_samples=250)) == {"samples": 720, "batch_size": 16}
    assert budget(trainer, SimpleNamespace(batch_size=5, epoch_samples=250)) == {"samples": 750, "batch_size": 5}
    limited: Any = _Trainer(limit=2)
    assert budget(limited, SimpleNamespace(batch_size=16, epoch_samples=250)) == {"samples": 96, "batch_size": 16}


def test_every_rank_counts_the_steps_and_one_writes(tmp_path: Path) -> None:
    for zero in (False, True):
        trainer: Any = _Trainer(zero, limit=2)
        module: Any = torch.nn.Linear(1, 1)
        record = RunRecord(tmp_path / "config.yaml", tmp_path / "manifest.json", "a: 1\n", {}, text_free=True)
        record.on_fit_start(trainer, module)
        assert trainer.counted == 1
        assert (tmp_path / "manifest.json").is_file() == zero


def test_a_manifest_says_on_what_and_on_how_many_cases_a_model_was_trained() -> None:
    assert re.fullmatch(r".+, [1-9]\d* threads?", describe_hardware(torch.device("cpu")))
    split = SimpleNamespace(train=("a", "b"), val=("c",), test=())
    assert count_cases(SimpleNamespace(split=split)) == {"train": 2, "val": 1, "test": 0}
    assert count_cases(None) is None


@pytest.mark.parametrize(
    ("facts", "word"),
    [
        ({"labels": {"names": ["a"], "values": [[1]]}, "tolerance": 30.0}, r"tolerance: 2\.0, now 30\.0"),
        ({"labels": {"names": ["a"], "values": [[2]]}, "tolerance": 2.0}, "classes: "),
    ],
)
def test_classes_and_tolerance_may_not_change_between_training_and_test(facts: dict[str, Any], word: str) -> None:
    trained = scoring_conditions(SimpleNamespace(facts={"labels": {"names": ["a"], "values": [[1]]}, "tolerance": 2.0}))
    check_same_data(Path("manifest.json"), trained, trained)
    check_same_data(Path("manifest.json"), {}, trained)
    with pytest.raises(RunError, match=word):
        check_same_data(Path("manifest.json"), trained, scoring_conditions(SimpleNamespace(facts=facts)))


def test_the_manifest_has_what_a_matched_comparison_has_in_common() -> None:
    facts = make_facts(["lesion"], patch=[32, 32])
    model = UNet(facts, channels=(8, 8, 8), lr=0.01, loss=LossOptions(dice_per="image"))
    found = describe_training(model, SimpleNamespace(augment="light"))
    assert (found["vision"], found["lr"], found["loss"]["dice_per"], found["augment"]) == (
        "unet",
        0.01,
        "image",
        "light",
    )
    assert {"weight_decay", "warmup", "width", "stages", "norm"} <= found.keys()
    assert not {"channels", "gradient_clip"} & found.keys()
    assert describe_training(model, None, 1.0)["gradient_clip"] == 1.0
    assert describe_training(LightningModule(), None) == {"augment": None}
