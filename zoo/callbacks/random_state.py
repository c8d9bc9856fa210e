"""Random states of an epoch's end, kept in the checkpoint: a resumed run draws what an undisturbed one would."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import torch
from lightning.pytorch import Callback, LightningModule, Trainer

State = dict[str, Any]


def capture() -> State:
    """The states of torch, numpy, Python and every CUDA device, as tensors, lists and numbers.

    Nothing else would load with `weights_only=True`.
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
    """The inverse of `capture`. CUDA states are restored only on as many devices as they were taken from."""
    torch.set_rng_state(state["torch"].cpu())
    if state["cuda"] and torch.cuda.is_available() and len(state["cuda"]) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all([one.cpu() for one in state["cuda"]])
    name, keys, position, has_gauss, gauss = state["numpy"]
    np.random.set_state((name, np.array(keys, dtype=np.uint32), position, has_gauss, gauss))
    version, internal, gauss_next = state["python"]
    random.setstate((version, tuple(internal), gauss_next))


class RandomState(Callback):
    """Takes the states of all ranks at the end of each epoch and restores them before the first epoch of a resumed run.

    It must stand before the checkpoint callbacks, which Lightning always runs last.
    """

    def __init__(self) -> None:
        self._states: list[State] = []
        self._to_restore = False

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Collects the state of every rank; each rank draws its own dropout."""
        mine = capture()
        self._states = [mine]
        if trainer.world_size > 1:
            self._states = [mine] * trainer.world_size
            torch.distributed.all_gather_object(self._states, mine)

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Restores once after loading: building and loading a model draws random numbers too.

        Lightning makes the first iterator of a resumed run before it tells the sampler the epoch, so
        that workers fetch the first epoch's samples again; a second one is made here, as an
        undisturbed run makes it at this place.
        """
        if self._to_restore and self._states:
            restore(self._states[trainer.global_rank % len(self._states)])
            fetcher = trainer.fit_loop._data_fetcher
            if fetcher is not None:
                iter(fetcher)
        self._to_restore = False

    def state_dict(self) -> dict[str, Any]:
        """The collected states, one a rank."""
        return {"states": self._states}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Keeps the states until training starts."""
        self._states = state_dict["states"]
        self._to_restore = True
