"""Every registered data set through its commands, its setup and one batch of each loader.

An embedded data set gets few cases. A data set on disk is tested on the replica of its layout in
`tests.helpers.data_sets.REPLICAS`, with the options of `REQUIRED`. A data set without a replica fails here.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from torch import Tensor

from datamodules.bases.base import SegDataModule
from datamodules.build import build_datamodule
from datamodules.cli import main
from datamodules.index.card import DataCard
from tests.helpers.data_sets import REPLICAS, REQUIRED
from zoo.data_facts import DataFacts
from zoo.registry import DATA
from zoo.types import TRACKS, UNKNOWN

DESCRIPTIVE = {
    "name",
    "title",
    "task",
    "homepage",
    "licence",
    "cases",
    "prompts",
    "publish",
    "source",
    "contains",
    "video",
}
"""Facts of a card that no code branches on, apart from findings and tables."""


def list_parameters() -> list[Any]:
    """Every data set; one that has the class and the facts of an earlier one runs in `make test-slow`."""
    seen: list[Any] = []
    found = []
    for card in DATA:
        if card.broken:
            continue
        facts = {key: value for key, value in asdict(DataCard.of(card)).items() if key not in DESCRIPTIVE}
        facts["protocols"] = {name: one | {"about": ""} for name, one in facts["protocols"].items()}
        kind = (card.config["data"]["class_path"], facts)
        marks = [pytest.mark.xdist_group(card.name), *([pytest.mark.slow] if kind in seen else [])]
        found.append(pytest.param(card.name, marks=marks))
        seen.append(kind)
    return found


COUNTS = [6, 2, 3]
"""Cases of train, val and test of an embedded data set."""


@pytest.fixture(scope="module", params=list_parameters())
def name_and_folder(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, Path | None]:
    """Return a data set and the folder of its replica; None for an embedded data set."""
    name: str = request.param
    if DataCard.of(DATA.get(name)).embedded:
        return name, None
    return name, REPLICAS[name](tmp_path_factory.mktemp(name))


@pytest.fixture(scope="module")
def data(name_and_folder: tuple[str, Path | None]) -> SegDataModule:
    """Return the data module after its setup. All checks of a data set share it."""
    name, folder = name_and_folder
    small: dict[str, Any] = {"counts": COUNTS} if folder is None else {"root": str(folder)}
    module = build_datamodule(name, "tiny", batch_size=2, epoch_samples=4, **small, **REQUIRED.get(name, {}))
    module.setup("fit")
    return module


def highest_label(label: Tensor) -> int:
    """Return the highest value of a label, without unknown voxels."""
    return int(label.masked_fill(label == UNKNOWN, 0).max())


@pytest.mark.parametrize("command", ["prepare", "verify", "stats", "show", "split"])
def test_commands_succeed(name_and_folder: tuple[str, Path | None], command: str, tmp_path: Path) -> None:
    name, folder = name_and_folder
    root = ["--size", "tiny", "--data.counts", str(COUNTS)] if folder is None else ["--root", str(folder)]
    out = {"show": tmp_path / "sheet.png", "split": tmp_path / "split.json"}.get(command)
    assert main([command, name, *root, *([] if out is None else ["--out", str(out)])]) == 0
    assert out is None or out.stat().st_size


def test_facts_are_complete(data: SegDataModule) -> None:
    facts = DataFacts.from_dict(data.facts)
    assert facts.track in TRACKS
    assert [prompt.name for prompt in facts.prompts] == list(facts.labels.names)
    assert all(prompt.sentence and len(prompt.concepts) == 5 for prompt in facts.prompts)
    assert data.split_hash
    assert data.prompt_hash


def test_training_batch_keeps_the_contract(data: SegDataModule) -> None:
    facts = DataFacts.from_dict(data.facts)
    batch = next(iter(data.train_dataloader()))
    assert batch["image"].shape == (2, facts.in_channels, *facts.patch)
    assert batch["image"].isfinite().all()
    channels = 1 if facts.labels.exclusive else len(facts.labels.names)
    assert batch["label"].shape == (2, channels, *facts.patch)
    assert highest_label(batch["label"]) <= (len(facts.labels.names) if facts.labels.exclusive else 1)
    assert "native" not in batch
    assert ("reports" in batch) == data.card.has_reports


@pytest.mark.parametrize("preset", ["none", "light", "full", "elastic"])
def test_augmented_batches_keep_the_contract(data: SegDataModule, preset: str) -> None:
    facts, before = DataFacts.from_dict(data.facts), data.augment
    data.augment = preset
    batch = data.on_after_batch_transfer(next(iter(data.train_dataloader())), 0)
    data.augment = before
    channels = 1 if facts.labels.exclusive else len(facts.labels.names)
    assert batch["image"].shape == (2, facts.in_channels, *facts.patch)
    assert batch["label"].shape == (2, channels, *facts.patch)
    assert batch["image"].isfinite().all()
    assert highest_label(batch["label"]) <= (len(facts.labels.names) if facts.labels.exclusive else 1)


def test_training_and_selection_see_no_reported_case(data: SegDataModule) -> None:
    reported = set(data.split.ids_of("test"))
    people = {data.split.subjects[case_id] for case_id in reported}
    for loader in (data.train_dataloader(), data.val_dataloader()):
        dataset: Any = loader.dataset
        seen = {case.case_id: case.subject for case in dataset.cases}
        assert seen
        assert not reported & set(seen)
        assert data.index.declares_leak or not people & set(seen.values())


def test_evaluation_visits_each_case_once(data: SegDataModule) -> None:
    for part, loader in (("val", data.val_dataloader()), ("test", data.test_dataloader())):
        seen = [
            key
            for batch in loader
            for key in zip(batch["case_id"], batch.get("query", [""] * len(batch["case_id"])), strict=True)
        ]
        assert sorted(seen) == sorted(case.key for case in data.index.cases_of(part))
        assert {case_id for case_id, _ in seen} == set(data.split.ids_of(part))
        batch = next(iter(loader))
        native = batch["native"][0]
        assert native.label is not None
        assert native.geometry.unit == data.card.unit
        assert batch["spacing"].shape == (len(batch["image"]), batch["image"].ndim - 2)
