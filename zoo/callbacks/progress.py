"""Progress of a run: a bar on a terminal, lines in a file. Both have the loss and the time to go of the whole run."""

from __future__ import annotations

import logging
import math
import os
import sys
import time
from collections.abc import Callable
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import TQDMProgressBar
from lightning.pytorch.callbacks.progress.tqdm_progress import Tqdm
from lightning.pytorch.trainer.states import TrainerFn
from torch import Tensor

from zoo.callbacks.checkpoints import MONITOR
from zoo.utils.activity import set_activity
from zoo.utils.format import format_duration

_REFRESH_SECONDS = 0.5
"""Time between two updates of the bar; each reads the loss, for which a GPU finishes its step."""

_WIDTH = 100
"""Columns of a terminal of unknown width."""

log = logging.getLogger(__name__)


def count_batches(trainer: Trainer) -> int | None:
    """Return the number of training batches of the whole run; None if it has no end in steps."""
    per_epoch, epochs = trainer.num_training_batches, trainer.max_epochs
    ends = [per_epoch * epochs] if epochs and epochs > 0 else []
    ends += [trainer.max_steps * trainer.accumulate_grad_batches] if trainer.max_steps > 0 else []
    least = min(ends, default=math.inf)
    return int(least) if math.isfinite(least) else None


def count_done(trainer: Trainer) -> int:
    """Return the number of training batches that are done, with those before an interruption."""
    total: Any = trainer.fit_loop.epoch_loop.batch_progress.total
    return int(total.processed)


def name_epoch(trainer: Trainer) -> str:
    """Return `epoch 3/20`."""
    epochs = trainer.max_epochs if trainer.max_epochs and trainer.max_epochs > 0 else "?"
    return f"epoch {trainer.current_epoch + 1}/{epochs}"


class RunProgressBar(TQDMProgressBar):
    """Lightning's bar over all batches of a run, with the loss of the last batch and the time to the end of the run."""

    BAR_FORMAT = "{desc}{percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt} [{elapsed}, {remaining} to go{postfix}]"

    def __init__(self) -> None:
        super().__init__()
        self._loss: Tensor | None = None
        self._updated = 0.0

    def init_sanity_tqdm(self) -> Tqdm:
        """Return the bar of the check of the validation."""
        return _with_width(super().init_sanity_tqdm())

    def init_train_tqdm(self) -> Tqdm:
        """Return the bar of the training."""
        return _with_width(super().init_train_tqdm())

    def init_validation_tqdm(self) -> Tqdm:
        """Return the bar of a validation."""
        return _with_width(super().init_validation_tqdm())

    def init_test_tqdm(self) -> Tqdm:
        """Return the bar of a test."""
        return _with_width(super().init_test_tqdm())

    def init_predict_tqdm(self) -> Tqdm:
        """Return the bar of a prediction."""
        return _with_width(super().init_predict_tqdm())

    def on_train_start(self, *_: Any) -> None:
        """Start the bar at the batch at which training continues."""
        bar: Tqdm = self.init_train_tqdm()
        self.train_progress_bar = bar
        bar.reset(count_batches(self.trainer))
        bar.initial = bar.n = count_done(self.trainer)

    def on_train_epoch_start(self, trainer: Trainer, *_: Any) -> None:
        """Show the number of the epoch."""
        self.train_progress_bar.set_description(name_epoch(trainer))

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Show the number of batches and the loss."""
        self._loss = _loss_of(outputs)
        bar = self.train_progress_bar
        bar.n = count_done(trainer)
        if self._should_update(bar.n, bar.total or 0):
            bar.set_postfix(self.get_metrics(trainer, pl_module))  # and draw

    def get_metrics(
        self, trainer: Trainer, pl_module: LightningModule
    ) -> dict[str, int | str | float | dict[str, float]]:
        """Return the loss of the last batch, the last `val/dice`, and what the model logs for the bar."""
        logged = super().get_metrics(trainer, pl_module)
        logged.pop("v_num", None)
        known = {"loss": self._loss, MONITOR: trainer.callback_metrics.get(MONITOR)}
        return logged | {name: f"{float(value):.4f}" for name, value in known.items() if value is not None}

    def _should_update(self, current: int, total: float) -> bool:
        now = time.monotonic()
        due = self.is_enabled and (current == total or now - self._updated >= _REFRESH_SECONDS)
        self._updated = now if due else self._updated
        return due


def _with_width(bar: Tqdm) -> Tqdm:
    """Give a bar a width on a terminal that does not tell its own, as in some containers; tqdm draws nothing there."""
    try:
        known = os.get_terminal_size(sys.stdout.fileno()).columns
    except (OSError, ValueError):  # no terminal: tqdm has its own default
        return bar
    if known == 0:
        bar.dynamic_ncols, bar.ncols, bar.nrows = None, _WIDTH, None
    return bar


class ProgressLines(Callback):
    """Logs one line per epoch where no bar is shown, and says to `zoo.utils.activity` what is done."""

    def __init__(self) -> None:
        self._epoch_started = self._run_started = 0.0
        self._done_before = 0
        self._loss: Tensor | None = None

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the clock of the run."""
        self._run_started = self._epoch_started = time.monotonic()  # a run may continue within an epoch
        self._done_before = count_done(trainer)

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the clock of the epoch."""
        self._epoch_started = time.monotonic()

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        """Say which batch is trained on."""
        _say(trainer, lambda: self._describe_training(trainer))

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Keep the loss for the next line."""
        self._loss = _loss_of(outputs)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Log one line: `epoch 3/20  train/loss 0.4120  val/dice 0.8310  12.0 s  0:03:24 to go`."""
        if trainer.progress_bar_callback is not None or not trainer.is_global_zero:
            return
        shown = [name for name in ("train/loss", "val/dice") if name in trainer.callback_metrics]
        words = [name_epoch(trainer), *(f"{name} {float(trainer.callback_metrics[name]):.4f}" for name in shown)]
        words += [f"{time.monotonic() - self._epoch_started:.1f} s", self._to_go(trainer)]
        log.info("  ".join(filter(None, words)))

    def on_validation_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        """Say which batch is validated."""
        where = "check of the validation" if trainer.sanity_checking else "validation"
        batches = trainer.num_sanity_val_batches if trainer.sanity_checking else trainer.num_val_batches
        fitting = trainer.state.fn == TrainerFn.FITTING and not trainer.sanity_checking
        _say_batch(trainer, f"{name_epoch(trainer)}, {where}" if fitting else where, batch_idx, batches, dataloader_idx)

    def on_test_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        """Say which batch is tested."""
        _say_batch(trainer, "test", batch_idx, trainer.num_test_batches, dataloader_idx)

    def on_predict_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        """Say which batch is predicted."""
        _say_batch(trainer, "prediction", batch_idx, trainer.num_predict_batches, dataloader_idx)

    def _describe_training(self, trainer: Trainer) -> str:
        total = count_batches(trainer)
        words = [name_epoch(trainer), f"batch {count_done(trainer)}" + ("" if total is None else f"/{total}")]
        words += [] if self._loss is None else [f"loss {float(self._loss):.4f}"]
        return "  ".join(filter(None, [*words, self._to_go(trainer)]))

    def _to_go(self, trainer: Trainer) -> str:
        """Return the time to the end of the run at the speed since its start, validations included."""
        done, total = count_done(trainer), count_batches(trainer)
        taken = done - self._done_before
        if total is None or taken <= 0:
            return ""
        seconds = (time.monotonic() - self._run_started) / taken * max(total - done, 0)
        return f"{format_duration(seconds)} to go"


def _say_batch(trainer: Trainer, what: str, batch_idx: int, batches: Any, loader: int) -> None:
    counts = batches if isinstance(batches, list) else [batches]
    total = counts[loader] if loader < len(counts) else math.inf
    _say(trainer, f"{what}, batch {batch_idx + 1}" + (f"/{int(total)}" if math.isfinite(total) else ""))


def _say(trainer: Trainer, text: str | Callable[[], str]) -> None:
    """Say what is done, unless a bar shows it."""
    set_activity("" if trainer.progress_bar_callback is not None else text)


def _loss_of(outputs: Any) -> Tensor | None:
    """Return the loss of what `training_step` returned."""
    loss = outputs.get("loss") if isinstance(outputs, dict) else outputs
    return loss.detach() if isinstance(loss, Tensor) else None
