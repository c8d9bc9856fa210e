"""Loaders of training and evaluation batches, divided among the processes of a run."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import torch
from torch.utils.data import Dataset, Sampler

from datamodules.loading.datasets import EvaluationSet, TrainingSet
from datamodules.loading.samplers import DrawSampler, ExactOnceSampler
from datamodules.loading.thread_loader import ThreadLoader
from zoo.errors import ConfigError
from zoo.types import Batch


class ProcessShare(NamedTuple):
    """Which share of the work this process does.

    Attributes:
        rank: Number of this process.
        world: Number of all processes.
    """

    rank: int = 0
    world: int = 1

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


def training_loader(
    dataset: TrainingSet, epoch_samples: int, batch_size: int, workers: int, share: ProcessShare
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
    return make_loader(dataset, sampler, share.batch_size_of(batch_size), workers)


def evaluation_loader(dataset: EvaluationSet, batch_size: int, workers: int, share: ProcessShare) -> ThreadLoader:
    """Every case exactly once over all processes.

    A process without a case of its own computes the first case as a `spare` batch, because the others wait for it.

    Args:
        dataset: The cases.
        batch_size: Samples of a batch of this process.
        workers: Threads that make batches ahead.
        share: Which share this process does.
    """
    spare = share.rank >= len(dataset)
    sampler = ExactOnceSampler(1) if spare else ExactOnceSampler(len(dataset), share.rank, share.world)
    return make_loader(dataset, sampler, batch_size, workers, partial(dataset.collate, spare=spare))


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
