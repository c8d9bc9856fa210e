"""Keeps random states in the checkpoint, so that a resumed run draws the numbers of an uninterrupted run."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor

State = dict[str, Any]


def capture() -> State:
    """Return the states of torch, numpy, Python and every CUDA device, as tensors, lists and numbers.

    Other types do not load with `weights_only=True`.
    """
    name, keys, position, has_gauss, gauss = np.random.get_state(legacy=True)
    version, internal, gauss_next = random.getstate()
    return {
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
        "numpy": [str(name), [int(key) for key in keys], int(position), int(has_gauss), float(gauss)],
        "python": [version, list(internal), gauss_next],
    }


def restore(state: State) -> None:
    """Restore what `capture` returned. CUDA states are restored only if the number of devices is the same."""
    torch.set_rng_state(state["torch"].cpu())
    if state["cuda"] and torch.cuda.is_available() and len(state["cuda"]) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all([one.cpu() for one in state["cuda"]])
    name, keys, position, has_gauss, gauss = state["numpy"]
    np.random.set_state((name, np.array(keys, dtype=np.uint32), position, has_gauss, gauss))
    version, internal, gauss_next = state["python"]
    random.setstate((version, tuple(internal), gauss_next))


@runtime_checkable
class SkipsBatches(Protocol):
    """A loader that can begin an epoch after its first batches, so that a training can continue within an epoch."""

    first: int


class RandomState(Callback):
    """Stores the states of all ranks after each epoch, and restores them before the first epoch of a resumed run.

    It must come before the checkpoint callbacks, which Lightning always runs last.
    """

    def __init__(self) -> None:
        self._states: list[State] = []
        self._to_restore = False
        self._place: dict[str, Any] = {}

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Continue within an epoch, where SIGTERM ended the training there (`zoo.callbacks.interruption`).

        Lightning calls no `on_train_epoch_start` then, and its loader would begin with the first batch of the epoch.
        """
        if not self._place:
            return
        loader: Any = trainer.fit_loop._combined_loader
        if loader is not None and self._place["batches"] < trainer.num_training_batches:
            [only] = loader.flattened
            only.sampler.set_epoch(trainer.current_epoch)
            only.first = self._place["batches"]
            if trainer.fit_loop._data_fetcher is not None:
                iter(trainer.fit_loop._data_fetcher)
        restore(self._place["random"])
        self._to_restore = False

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Add the means of the steps before the interruption to those of the first step after it."""
        if self._place:
            add_means(trainer, self._place["means"])
            self._place = {}

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Collect the state of every rank; each rank has its own dropout."""
        mine = capture()
        self._states, self._place = [mine], {}
        if trainer.world_size > 1:
            self._states = [mine] * trainer.world_size
            torch.distributed.all_gather_object(self._states, mine)

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Restore once after loading, because building and loading a model also draw random numbers.

        Lightning makes the first iterator of a resumed run before the sampler knows the epoch, so its workers fetch the
        samples of the first epoch again. Therefore this method makes a second iterator, at the place where an
        uninterrupted run makes one.
        """
        if self._to_restore and self._states:
            restore(self._states[trainer.global_rank % len(self._states)])
            fetcher = trainer.fit_loop._data_fetcher
            if fetcher is not None:
                iter(fetcher)
        self._to_restore = False

    def state_dict(self) -> dict[str, Any]:
        """Return the collected states, one per rank."""
        return {"states": self._states}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Keep the states until training starts."""
        self._states, self._place = state_dict["states"], state_dict.get("place", {})
        self._to_restore = True


def logged_means(trainer: Trainer) -> Iterator[tuple[str, list[Tensor]]]:
    """Yield the running sums of the values that are logged as means of an epoch: sum and number of samples."""
    for name, metric in (trainer.fit_loop.epoch_loop._results or {}).items():
        if metric.is_tensor and metric.meta.is_mean_reduction and metric.meta.on_epoch:
            yield name, [metric.value, metric.cumulated_batch_size]


def add_means(trainer: Trainer, means: dict[str, list[Tensor]]) -> None:
    """Add the sums of the steps before an interruption to those of this process."""
    for name, metric in (trainer.fit_loop.epoch_loop._results or {}).items():
        if name in means:
            value, count = means[name]
            metric.value = metric.value + value.to(metric.value.device)
            metric.cumulated_batch_size = metric.cumulated_batch_size + count.to(metric.cumulated_batch_size.device)
