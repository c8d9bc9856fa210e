"""A third party's model and data set: tiny, with every kind of randomness that a run can have."""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from lightning.pytorch import Callback, LightningDataModule, LightningModule
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, Sampler

from zoo.data_facts import DataFacts
from zoo.metrics.case_scores import CaseScore
from zoo.metrics.scoring import score_case
from zoo.types import ClassPrompt, Geometry, LabelSpace, Prediction

SIDE = 8


class StubModel(LightningModule):
    """One hidden layer with dropout and batch normalisation, and a schedule that steps once per epoch."""

    def __init__(self, facts: dict[str, Any], lr: float = 0.1, width: int = 4, encoder: str = "tiny") -> None:
        super().__init__()
        self.save_hyperparameters()
        self.facts = DataFacts.from_dict(facts)
        self.lr = lr
        self.net = nn.Sequential(
            nn.Conv2d(1, width, 3, padding=1), nn.BatchNorm2d(width), nn.Dropout(0.5), nn.Conv2d(width, 1, 1)
        )

    def training_step(self, batch: dict[str, Any], batch_idx: int) -> Tensor:
        _die_at_step(self.current_epoch, batch_idx)
        noise = float(np.random.rand()) + random.random()  # noqa: S311 - the point is that it is drawn
        loss: Tensor = (self.net(batch["image"]) * noise - batch["label"]).square().mean()
        self.log("train/loss", loss)
        return loss

    def validation_step(self, batch: dict[str, Any], batch_idx: int) -> None:
        self.log("val/dice", self.net(batch["image"]).sigmoid().mean(), batch_size=len(batch["image"]))

    def predict_step(self, batch: dict[str, Any], batch_idx: int) -> list[Prediction]:
        masks = (self.net(batch["image"]) > 0.5).to(torch.uint8).cpu().numpy()
        geometry = Geometry(None, (SIDE, SIDE), ((0, SIDE), (0, SIDE)), (1.0, 1.0), "px")
        return [Prediction(case, mask, geometry) for case, mask in zip(batch["case_id"], masks, strict=True)]

    def test_step(self, batch: dict[str, Any], batch_idx: int) -> list[CaseScore]:  # type: ignore[override]
        rows: list[CaseScore] = []
        for prediction, label in zip(self.predict_step(batch, batch_idx), batch["label"], strict=True):
            truth = (label.cpu().numpy() > 0.5).astype(np.uint8)
            rows += score_case(
                prediction.case_id, prediction.mask, truth, self.facts.labels, (1.0, 1.0), "px", self.facts.tolerance
            )
        return rows

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.Adam(self.parameters(), lr=self.lr)
        return [optimizer], [torch.optim.lr_scheduler.StepLR(optimizer, 1, 0.9)]


class _Images(Dataset[dict[str, Any]]):
    def __init__(self, cases: int, noisy: bool) -> None:
        self.cases = cases
        self.noisy = noisy

    def __len__(self) -> int:
        return self.cases

    def __getitem__(self, index: int) -> dict[str, Any]:
        image = torch.zeros(1, SIDE, SIDE)
        image[:, : 1 + index % SIDE, 2:6] = 1
        noise = 0.1 * torch.randn(image.shape) if self.noisy else 0.0
        return {"image": image + noise, "label": image, "case_id": f"case{index}"}


class _Draws(Sampler[int]):
    """An order that depends on the epoch alone, as in our own data modules."""

    def __init__(self, cases: int) -> None:
        self.cases = cases
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __iter__(self) -> Iterator[int]:
        return iter(np.random.default_rng(self.epoch).permutation(self.cases).tolist())

    def __len__(self) -> int:
        return self.cases


class StubData(LightningDataModule):
    """Shuffled and augmented by the process's random state; with workers, by a sampler that knows the epoch."""

    split_hash = "split"
    prompt_hash = "prompt"

    def __init__(
        self,
        root: str | None = None,
        batch_size: int = 4,
        epoch_samples: int = 12,
        num_workers: int = 0,
        text: str = "true",
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.batch_size = batch_size
        self.epoch_samples = epoch_samples
        self.num_workers = num_workers
        self.text = text
        self.seed = seed

    @property
    def facts(self) -> dict[str, Any]:
        prompts = (ClassPrompt("lesion", "A lesion."),)
        labels = LabelSpace(("lesion",), ((1,),), exclusive=False)
        return DataFacts("stub", 2, 1, (SIDE, SIDE), labels, prompts, "report").to_dict()

    def train_dataloader(self) -> DataLoader[Any]:
        images = _Images(self.epoch_samples, noisy=not self.num_workers)
        sampler = _Draws(self.epoch_samples) if self.num_workers else None
        return DataLoader(
            images, batch_size=self.batch_size, sampler=sampler, shuffle=not sampler, num_workers=self.num_workers
        )

    def val_dataloader(self) -> DataLoader[Any]:
        return DataLoader(_Images(3, False), batch_size=1)

    def test_dataloader(self) -> DataLoader[Any]:
        assert self.trainer is not None
        mine = range(self.trainer.global_rank, 5, self.trainer.world_size)
        return DataLoader(_Images(5, False), batch_size=1, sampler=mine)

    predict_dataloader = test_dataloader


def _die_at_step(epoch: int, batch: int) -> None:
    """Send SIGKILL to this process at the step in `STUB_KILL` ("1,2"), so that the process cannot clean up."""
    if os.environ.get("STUB_KILL") == f"{epoch},{batch}":
        os.kill(os.getpid(), signal.SIGKILL)


class Logbook(Callback):
    """A callback of the user, which has nothing to do in a test."""

    def __init__(self, name: str = "a") -> None:
        self.name = name


class OtherLogbook(Logbook):
    """Another one."""
