"""Keeps random states in the checkpoint, so that a resumed run draws the numbers of an uninterrupted run."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import torch
from lightning.pytorch import Callback, LightningModule, Trainer

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


class RandomState(Callback):
    """Stores the states of all ranks after each epoch, and restores them before the first epoch of a resumed run.

    It must come before the checkpoint callbacks, which Lightning always runs last.
    """

    def __init__(self) -> None:
        self._states: list[State] = []
        self._to_restore = False

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Collect the state of every rank; each rank has its own dropout."""
        mine = capture()
        self._states = [mine]
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
        self._states = state_dict["states"]
        self._to_restore = True
