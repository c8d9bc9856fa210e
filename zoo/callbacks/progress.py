"""Progress without a terminal: one line per epoch."""

from __future__ import annotations

import logging
import time

from lightning.pytorch import Callback, LightningModule, Trainer

log = logging.getLogger(__name__)


class EpochLog(Callback):
    """Logs losses, `val/dice` and the time of each epoch, because a progress bar fills a log file."""

    def __init__(self) -> None:
        self._started = 0.0

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the clock."""
        self._started = time.monotonic()

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Log one line: `epoch 3/20  train/loss 0.412  val/dice 0.831  12 s`."""
        if not trainer.is_global_zero:
            return
        shown = [name for name in ("train/loss", "val/dice") if name in trainer.callback_metrics]
        numbers = "  ".join(f"{name} {float(trainer.callback_metrics[name]):.4f}" for name in shown)
        epochs = trainer.max_epochs if trainer.max_epochs and trainer.max_epochs > 0 else "?"
        seconds = time.monotonic() - self._started
        log.info("epoch %d/%s  %s  %.1f s", trainer.current_epoch + 1, epochs, numbers, seconds)
