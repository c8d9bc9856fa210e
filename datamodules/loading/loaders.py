"""Loaders of training and evaluation batches, divided among the processes of a run."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple, cast

import torch
from torch.utils.data import Dataset, Sampler

from datamodules.loading.datasets import EvaluationSet, TrainingSet
from datamodules.loading.samplers import DrawSampler, ExactOnceSampler
from datamodules.loading.thread_loader import ThreadLoader
from datamodules.loading.used_cases import NO_LIMITS, TrainerLimits, used_in_evaluation, used_in_training
from zoo.errors import ConfigError
from zoo.types import Batch, Case
from zoo.utils.batch_limits import limit_batches


class ProcessShare(NamedTuple):
    """Which share of the work this process does, and up to which batch.

    Attributes:
        rank: Number of this process.
        world: Number of all processes.
        limits: The limits of the trainer, beyond which no batch is made.
    """

    rank: int = 0
    world: int = 1
    limits: TrainerLimits = NO_LIMITS

    @classmethod
    def of(cls, trainer: Any) -> ProcessShare:
        """The share of this process in the run of a trainer; all of the work without a trainer."""
        return cls() if trainer is None else cls(trainer.global_rank, trainer.world_size, TrainerLimits.of(trainer))

    def batch_size_of(self, batch_size: int) -> int:
        """The batch size of this process.

        Args:
            batch_size: Samples over all processes.

        Raises:
            ConfigError: It is no multiple of the number of processes.
        """
        if batch_size % self.world:
            raise ConfigError(
                f"--data.batch_size {batch_size} cannot be divided over {self.world} devices.",
                "It counts samples over all devices: give a multiple.",
            )
        return batch_size // self.world

    def evaluation_batch(self, batch_size: int, spatial_dims: int) -> int:
        """The batch size of the evaluation in this process: one volume, because volumes differ in size, or pictures.

        Args:
            batch_size: Samples of a training batch over all processes.
            spatial_dims: 2 or 3.
        """
        return 1 if spatial_dims == 3 else self.batch_size_of(batch_size)


def training_loader(
    dataset: TrainingSet,
    epoch_samples: int,
    batch_size: int,
    workers: int,
    share: ProcessShare,
) -> ThreadLoader:
    """Numbered draws of training patches; `set_epoch` of the sampler moves on to the next draws.

    Args:
        dataset: The training cases.
        epoch_samples: Samples of one epoch over all processes; only whole batches are used.
        batch_size: Samples of a batch over all processes.
        workers: Threads that make batches ahead.
        share: Which share this process does.
    """
    samples = epoch_samples // batch_size * batch_size
    sampler = DrawSampler(len(dataset), samples, dataset.seed, share.rank, share.world)
    loader = make_loader(dataset, sampler, share.batch_size_of(batch_size), workers)
    loader.most = share.limits.batches_per_epoch(samples // batch_size)
    return loader


def evaluation_loader(
    dataset: EvaluationSet, batch_size: int, workers: int, share: ProcessShare, split: str = "test"
) -> ThreadLoader:
    """Every case exactly once over all processes.

    A process without a case of its own computes the first case as a `spare` batch, because the others wait for it.

    Args:
        dataset: The cases.
        batch_size: Samples of a batch of this process.
        workers: Threads that make batches ahead.
        share: Which share this process does.
        split: The split of the cases, whose limit holds.
    """
    spare = share.rank >= len(dataset)
    sampler = ExactOnceSampler(1) if spare else ExactOnceSampler(len(dataset), share.rank, share.world)
    loader = make_loader(dataset, sampler, batch_size, workers, partial(dataset.collate, spare=spare))
    loader.most = limit_batches(len(loader), share.limits.of_split(split))
    return loader


def make_loader(
    dataset: Dataset[Any],
    sampler: Sampler[Any],
    batch_size: int,
    workers: int,
    collate_fn: Callable[..., Batch] | None = None,
) -> ThreadLoader:
    """A loader whose order is that of the sampler alone and which does not change the global random state."""
    return ThreadLoader(
        dataset,
        batch_size=batch_size,
        sampler=sampler,
        num_workers=workers,
        collate_fn=collate_fn,
        pin_memory=torch.cuda.is_available(),
    )


def move_tensors(batch: Batch, device: torch.device) -> Batch:
    """The batch with its tensors on a device."""
    moved = {
        key: value.to(device, non_blocking=True) for key, value in batch.items() if isinstance(value, torch.Tensor)
    }
    return cast(Batch, {**batch, **moved})


def used_cases(
    split: str, cases: list[Case], samples: int, batch_sizes: tuple[int, int], seed: int, share: ProcessShare
) -> list[Case]:
    """The cases of a split that a run uses; all of them where the trainer has no limits.

    Args:
        split: The split.
        cases: Its cases.
        samples: Training samples of one epoch over all processes.
        batch_sizes: Batch size of the training over all processes, and of the evaluation in one process.
        seed: Seed of the training draws.
        share: The number of processes and the limits.
    """
    if split == "train":
        return used_in_training(cases, samples, batch_sizes[0], seed, share.limits)
    return used_in_evaluation(cases, batch_sizes[1], share.world, share.limits.of_split(split))
