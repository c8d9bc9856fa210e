"""What is drawn: the same over workers, ranks and resumes, and never twice the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import lightning as L
import numpy as np
import pytest
import torch

from datamodules.augment import augment
from datamodules.bases.base import SegDataModule
from datamodules.build import build_datamodule
from datamodules.loading.datasets import TrainingSet, cut_into, patch_start
from datamodules.loading.foreground import list_foreground
from datamodules.loading.loaders import make_loader
from datamodules.loading.samplers import DrawSampler, case_of, generator
from datamodules.loading.text_source import SplitText
from tests.helpers.data_sets import make_hippocampus, make_qata
from zoo.errors import ConfigError
from zoo.preprocessing.apply import PreparedCase
from zoo.types import Batch, Case, Geometry


@pytest.fixture
def hippocampus(tmp_path: Path) -> SegDataModule:
    data = build_datamodule(
        "hippocampus", "tiny", root=str(make_hippocampus(tmp_path, 6)), patch=[16, 16, 16], epoch_samples=16
    )
    data.setup("fit")
    return data


def batches(data: SegDataModule, epoch: int = 0) -> list[Batch]:
    loader = data.train_dataloader()
    loader.sampler.set_epoch(epoch)  # type: ignore[attr-defined]
    return [data.on_after_batch_transfer(batch, 0) for batch in loader]


def test_workers_change_nothing(hippocampus: SegDataModule) -> None:
    alone = batches(hippocampus)
    hippocampus.num_workers = 2
    for one, other in zip(alone, batches(hippocampus), strict=True):
        assert one["case_id"] == other["case_id"]
        assert one["draw"] == other["draw"]
        assert torch.equal(one["image"], other["image"])
        assert torch.equal(one["label"], other["label"])


def test_no_two_draws_alike_and_all_reproducible(hippocampus: SegDataModule) -> None:
    images = [image for epoch in range(4) for batch in batches(hippocampus, epoch) for image in batch["image"]]
    assert len({image.numpy().tobytes() for image in images}) == len(images) == 64
    again = batches(hippocampus, 3)
    assert torch.equal(again[-1]["image"][-1], images[-1])


def test_loaders_leave_the_global_random_state_alone(hippocampus: SegDataModule) -> None:
    before = torch.get_rng_state()
    batches(hippocampus)
    list(hippocampus.val_dataloader())
    assert torch.equal(before, torch.get_rng_state())


class Ranked:
    def __init__(self, rank: int, world: int) -> None:
        self.global_rank, self.world_size = rank, world


def test_two_ranks_draw_what_one_draws(hippocampus: SegDataModule, monkeypatch: pytest.MonkeyPatch) -> None:
    alone = batches(hippocampus)
    parted = []
    for rank in range(2):
        hippocampus.trainer = Ranked(rank, 2)  # type: ignore[assignment]
        parted.append(batches(hippocampus))
    hippocampus.trainer = Ranked(0, 3)  # type: ignore[assignment]
    with pytest.raises(ConfigError, match="3 devices"):
        hippocampus.train_dataloader()
    for step, whole in enumerate(alone):
        found = {
            draw: image for part in parted for draw, image in zip(part[step]["draw"], part[step]["image"], strict=True)
        }
        assert sorted(found) == whole["draw"]
        for draw, image in zip(whole["draw"], whole["image"], strict=True):
            assert torch.equal(found[draw], image)


WAYS = [(0, 1), (1, 1), (4, 1), (0, 2), (3, 2), (2, 5)]
"""Workers and ranks."""

EPOCHS, SAMPLES = 4, 250


@pytest.fixture(scope="module")
def numbered() -> list[PreparedCase]:
    """Volumes whose voxels all differ, so that the corner of a patch shows its position."""
    shape = (160, 150, 140)
    geometry = Geometry(None, shape, tuple((0, n) for n in shape), (1.0, 1.0, 1.0), "mm")
    count = int(np.prod(shape))
    return [
        PreparedCase(np.arange(first * count, (first + 1) * count, dtype=np.float32).reshape(1, *shape), None, geometry)
        for first in range(4)
    ]


def corners(volumes: list[PreparedCase], workers: int, world: int) -> dict[int, float]:
    """The corner of each draw's patch, taken by all ranks in turn."""
    cases = [Case(str(number), (), None, str(number)) for number in range(len(volumes))]
    found: dict[int, float] = {}
    for rank in range(world):
        data = TrainingSet(cases, lambda case: volumes[int(case.case_id)], (4, 4, 4), 7, SplitText(()))
        sampler = DrawSampler(len(cases), SAMPLES, 7, rank, world)
        loader = make_loader(data, sampler, 5, workers)
        for epoch in range(EPOCHS):
            sampler.set_epoch(epoch)
            for batch in loader:
                found |= dict(zip(batch["draw"], batch["image"][:, 0, 0, 0, 0].tolist(), strict=True))
    return found


@pytest.mark.parametrize(("workers", "world"), WAYS)
def test_a_thousand_places_are_all_different_and_the_same_by_any_way(
    numbered: list[PreparedCase], workers: int, world: int
) -> None:
    found = corners(numbered, workers, world)
    assert sorted(found) == list(range(1000))
    assert len(set(found.values())) == 1000
    assert found == corners(numbered, 0, 1)


def test_a_thousand_augmented_patches_are_all_different_and_the_same_by_any_way(hippocampus: SegDataModule) -> None:
    hippocampus.epoch_samples, hippocampus.batch_size, hippocampus.patch = SAMPLES, 10, (8, 8, 8)
    kept: list[dict[int, bytes]] = []
    for workers, world in ((0, 1), (3, 2)):
        found: dict[int, bytes] = {}
        for rank in range(world):
            hippocampus.num_workers, hippocampus.trainer = workers, Ranked(rank, world)  # type: ignore[assignment]
            for epoch in range(EPOCHS):
                for batch in batches(hippocampus, epoch):
                    images = (image.numpy().tobytes() for image in batch["image"])
                    found |= dict(zip(batch["draw"], images, strict=True))
        kept.append(found)
    assert sorted(kept[0]) == list(range(1000))
    assert len(set(kept[0].values())) == 1000
    assert kept[0] == kept[1]


def test_a_draw_stays_what_it_was() -> None:
    """Results in the documents rest on these: the place of a patch by (seed, draw), and its case."""
    label = np.zeros((1, 60, 50, 40), np.uint8)
    label[0, 3:9, 20:30, 30:39], label[0, 40:58, 1:40, 2:20] = 1, 3
    geometry = Geometry(None, (60, 50, 40), ((0, 60), (0, 50), (0, 40)), (1.0, 1.0, 1.0), "mm")
    prepared = PreparedCase(label.astype(np.float32), label, geometry, None, list_foreground(label, True, 4))
    starts = [patch_start(prepared, (16, 16, 48), generator(0, draw)) for draw in range(6)]
    assert starts == [[36, 24, -4], [44, 19, -4], [0, 16, -4], [42, 30, -4], [20, 8, -4], [41, 24, -4]]
    assert [case_of(draw, 5, 0) for draw in range(10)] == [3, 2, 0, 4, 1, 0, 4, 3, 2, 1]


class Recorder(L.LightningModule):
    """Learns nothing and records its batches."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(()))
        self.draws: list[int] = []
        self.cases: list[str] = []

    def training_step(self, batch: Any, index: int) -> torch.Tensor:
        self.draws += batch["draw"]
        loss: torch.Tensor = batch["image"].mean() * self.weight
        return loss

    def validation_step(self, batch: Any, index: int) -> None:
        assert batch["native"][0].label.dtype == np.uint8

    def test_step(self, batch: Any, index: int) -> None:
        self.cases += batch["case_id"]

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), 0.1)


def test_the_trainer_moves_on_through_the_draws(hippocampus: SegDataModule) -> None:
    options: dict[str, Any] = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    trainer = L.Trainer(
        max_epochs=2, accelerator="cpu", use_distributed_sampler=False, enable_model_summary=False, **options
    )
    model = Recorder()
    trainer.fit(model, datamodule=hippocampus)
    assert model.draws == list(range(32))
    trainer.test(model, datamodule=hippocampus, verbose=False)
    assert sorted(model.cases) == sorted(hippocampus.split.test)


def cut(array: np.ndarray, start: list[int], size: tuple[int, ...]) -> np.ndarray:
    """A patch, cut into memory that was full of something else."""
    block = np.full((len(array), *size), 77, array.dtype)
    cut_into(block, array, start)
    return block


def test_patches_are_centred_on_classes_or_anywhere() -> None:
    label = np.zeros((1, 40, 30, 20), np.uint8)
    label[0, 5:7, 5:7, 5:7] = 1
    label[0, 10:35, 15:25, 8:15] = 2
    geometry = Geometry(None, (40, 30, 20), ((0, 40), (0, 30), (0, 20)), (1.0, 1.0, 1.0), "mm")
    prepared = PreparedCase(label.astype(np.float32), label, geometry, None, list_foreground(label, True, 3))
    found = {1: 0, 2: 0}
    for seed in range(300):
        start = patch_start(prepared, (8, 8, 8), np.random.default_rng(seed))
        block = cut(label, start, (8, 8, 8))
        assert block.shape == (1, 8, 8, 8)
        assert all(0 <= first <= n - 8 for first, n in zip(start, (40, 30, 20), strict=True))
        for number in found:
            found[number] += int(number in block)
    assert found[1] >= 75  # the tiny class is in a third of the draws, which chance alone never gives
    assert found[2] >= 100


def test_small_volumes_are_padded_on_both_sides() -> None:
    label = np.ones((1, 5, 9), np.uint8)
    geometry = Geometry(None, (5, 9), ((0, 5), (0, 9)), (1.0, 1.0), "px")
    prepared = PreparedCase(label.astype(np.float32), label, geometry, None, list_foreground(label, True, 1))
    for seed in range(20):
        start = patch_start(prepared, (8, 8), np.random.default_rng(seed))
        block = cut(label, start, (8, 8))
        assert start[0] == -1
        assert start[1] in (0, 1)
        assert block[0].any(axis=1).tolist() == [False] + [True] * 5 + [False] * 2


def test_foreground_is_listed_by_class_and_thinned() -> None:
    masks = np.zeros((2, 200, 200), np.uint8)
    masks[0, :150] = 1
    masks[1, 3, 4] = 1
    rows = list_foreground(masks, False, 2)
    assert np.count_nonzero(rows[:, 0] == 0) == 10_000
    assert rows[rows[:, 0] == 1].tolist() == [[1, 3, 4]]
    assert masks[0][tuple(rows[rows[:, 0] == 0, 1:].T)].all()


def chessboard(dims: int) -> Batch:
    shape = (2, 1, *((24,) * dims))
    label = torch.zeros(shape, dtype=torch.uint8)
    label[(slice(None), slice(None), *[slice(6, 12)] * dims)] = 1
    return Batch(
        image=label.float() * 4,
        label=label,
        case_id=["a", "a"],
        spacing=torch.ones(2, dims),
        classes=(),
        draw=[1, 2],
    )


@pytest.mark.parametrize("dims", [2, 3])
def test_augmentation_moves_image_and_label_together(dims: int) -> None:
    batch = chessboard(dims)
    out = augment(batch, 0)
    assert out["label"].dtype == torch.uint8
    assert set(out["label"].unique().tolist()) == {0, 1}
    assert not torch.equal(out["image"][0], out["image"][1])
    inside = out["image"][out["label"] > 0].mean()
    outside = out["image"][out["label"] == 0].mean()
    assert inside > 2.5
    assert outside < 0.5
    assert torch.equal(batch["label"], chessboard(dims)["label"])


def test_augmentation_mirrors_only_where_allowed() -> None:
    batch = chessboard(2)
    for draw in range(40):
        batch["draw"] = [draw, draw + 1000]
        columns = augment(batch, 0, flips=(1,))["label"].float().sum(dim=(1, 2))
        rows = augment(batch, 0, flips=(1,))["label"].float().sum(dim=(1, 3))
        centre = (rows * torch.arange(24)).sum(1) / rows.sum(1)
        assert (centre < 12).all()  # the first axis is never turned over
        if ((columns * torch.arange(24)).sum(1) / columns.sum(1) > 12).any():
            return
    pytest.fail("40 draws and no mirrored image")


def test_augmentation_can_be_switched_off(tmp_path: Path) -> None:
    data = build_datamodule(
        "qata_cov19",
        "tiny",
        root=str(make_qata(tmp_path)),
        patch=[16, 16],
        batch_size=2,
        epoch_samples=4,
        augment="none",
    )
    batch = next(iter(data.train_dataloader()))
    assert data.on_after_batch_transfer(batch, 0) is batch
