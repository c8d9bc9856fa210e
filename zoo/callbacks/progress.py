"""Progress without a terminal: one line per epoch, and what is done now."""

from __future__ import annotations

import logging
import time
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer

from zoo.utils.activity import set_activity

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


class ActivityLog(Callback):
    """Says which batch is worked on, for the lines of `zoo.utils.activity`.

    Args:
        shown: False where a progress bar shows the batches; nothing else is then said during them.
    """

    def __init__(self, shown: bool) -> None:
        self.shown = shown

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        """Say the number of the training batch."""
        self._say(f"epoch {trainer.current_epoch + 1}, training", batch_idx, trainer.num_training_batches)

    def on_validation_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        """Say the number of the validation batch."""
        self._say("validation", batch_idx, trainer.num_val_batches)

    def on_test_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        """Say the number of the test batch."""
        self._say("test", batch_idx, trainer.num_test_batches)

    def on_predict_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        """Say the number of the predicted batch."""
        self._say("prediction", batch_idx, trainer.num_predict_batches)

    def _say(self, what: str, batch_idx: int, batches: Any) -> None:
        count = batches[0] if isinstance(batches, list) else batches
        total = f" of {count}" if isinstance(count, int) else ""  # a loader without a length has no last batch
        set_activity(f"{what} batch {batch_idx + 1}{total}" if self.shown else "")
