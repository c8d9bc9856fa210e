"""Saves the state after the last finished step where SIGTERM ends a training.

A step in progress is dropped, and never half-applied: from the start of the update of the weights to the end of its
hooks, SIGTERM waits. Parameters and optimiser change in this part only. What a forward pass may change before it is
kept from the end of the last step: buffers, random states, means of logged values, counters of the loops.
"""

from __future__ import annotations

import logging
from collections.abc import Collection
from contextlib import suppress
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import WeightAveraging
from torch import Tensor

from zoo.callbacks.averaged_weights import AveragedWeights
from zoo.callbacks.random_state import RandomState, SkipsBatches, State, capture, logged_means
from zoo.utils.termination import Terminated, allow_termination, before_forced_end, hold_termination

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _AfterStep:
    """What changes within a step before the weights do, as it was after the last finished step."""

    batches: int
    epoch: int
    global_step: int
    loops: dict[str, Any]
    buffers: dict[str, Tensor]
    random: State
    means: dict[str, list[Tensor]]


class Interruption(Callback):
    """Writes `last.ckpt` when SIGTERM ends a training of one process whose loader can continue within an epoch.

    Other trainings continue from the end of their last epoch.

    Args:
        path: The checkpoint.
        random: The callback that restores the random states.
    """

    def __init__(self, path: Path, random: RandomState) -> None:
        self.path, self.random = path, random
        self._last: _AfterStep | None = None
        self._steps = 0
        self._stored: Collection[str] = ()

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Be ready for an end in the middle of a long step."""
        self._steps = trainer.global_step
        self._stored = pl_module.state_dict().keys()
        before_forced_end(lambda: self._save(trainer))

    def on_before_optimizer_step(self, trainer: Trainer, pl_module: LightningModule, optimizer: Any) -> None:
        """Let SIGTERM wait until the step is finished."""
        hold_termination()

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Keep the state of the finished step, then leave if SIGTERM has come."""
        stepped = trainer.global_step > self._steps  # a batch of several per step leaves gradients, which are not kept
        self._steps = trainer.global_step
        if stepped and can_continue_within_epoch(trainer):
            self._last = _AfterStep(
                batches=batch_idx + 1,
                epoch=trainer.current_epoch,
                global_step=trainer.global_step,
                loops=deepcopy(trainer.fit_loop.state_dict()),
                buffers={
                    name: buffer.detach().clone() for name, buffer in pl_module.named_buffers() if name in self._stored
                },
                random=capture(),
                means={name: [part.clone() for part in parts] for name, parts in logged_means(trainer)},
            )
        allow_termination()

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """The checkpoint of the epoch replaces what was kept."""
        self._last = None

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Save, if SIGTERM is the reason of the end."""
        before_forced_end(None)
        if isinstance(exception, Terminated) or type(exception).__name__ == "SIGTERMException":
            self._save(trainer)
        with suppress(Terminated):  # an error within the update of the weights
            allow_termination()

    def _save(self, trainer: Trainer) -> None:
        """Write the checkpoint with the state after the last finished step."""
        last = self._last
        if last is None:
            return
        checkpoint = trainer._checkpoint_connector.dump_checkpoint(weights_only=False)
        checkpoint |= {"epoch": last.epoch, "global_step": last.global_step}
        checkpoint["loops"]["fit_loop"] = _loops_of(last, int(trainer.num_training_batches))
        # With averaged weights, `state_dict` is the average, which no forward pass changes.
        trained = checkpoint.get("current_model_state", checkpoint["state_dict"])
        for name in last.buffers.keys() & trained.keys():
            trained[name] = last.buffers[name]
        place = {"batches": last.batches, "random": last.random, "means": last.means}
        checkpoint["callbacks"][self.random.state_key] = {"states": self.random.state_dict()["states"], "place": place}
        trainer.strategy.checkpoint_io.save_checkpoint(checkpoint, self.path)
        log.info("The state after step %d is saved: %s", last.global_step, self.path)


def can_continue_within_epoch(trainer: Trainer) -> bool:
    """Whether a training can continue within an epoch.

    It has one process and one loader that can skip batches. No callback of another package exchanges the weights for
    an average, which would then be saved as the weights.
    """
    loader: Any = trainer.fit_loop._combined_loader
    flat = [] if loader is None else loader.flattened
    callbacks: list[Any] = trainer.callbacks  # type: ignore[attr-defined]
    foreign = any(isinstance(one, WeightAveraging) and not isinstance(one, AveragedWeights) for one in callbacks)
    return trainer.world_size == 1 and not foreign and len(flat) == 1 and isinstance(flat[0], SkipsBatches)


def _loops_of(last: _AfterStep, whole: int) -> dict[str, Any]:
    """Return the counters of the loops. After the last batch of an epoch, its validation is made from the beginning."""
    loops = deepcopy(last.loops)
    if last.batches == whole:
        for part in ("total", "current"):
            progress = loops["epoch_loop.batch_progress"][part]
            progress["completed"] = progress["processed"]
            loops["epoch_loop.val_loop.batch_progress"][part] |= {
                "ready": 1,
                "started": 1,
                "processed": 0,
                "completed": 0,
            }
    return loops
