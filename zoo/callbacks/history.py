"""`metrics.csv`: Lightning's CSV logger with the earlier rows of a resumed run, and the learning rate of each epoch."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

from lightning.fabric.loggers.logger import rank_zero_experiment
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.loggers import CSVLogger

from zoo.utils.atomic_files import write_text


class History(CSVLogger):
    """Keeps the rows of an interrupted run, which Lightning's own logger deletes.

    Args:
        out: The run folder.
    """

    def __init__(self, out: Path) -> None:
        super().__init__(save_dir=str(out), name="", version="")
        self.path = out / "metrics.csv"

    @property
    @rank_zero_experiment
    def experiment(self) -> Any:
        """The writer; at its first use it gets the earlier rows."""
        if self._experiment is None:
            kept = self.path.read_text(encoding="utf-8") if self.path.is_file() else ""
            writer: Any = super().experiment
            if kept:
                write_text(self.path, kept)
                writer.metrics_keys = list(csv.DictReader(io.StringIO(kept)).fieldnames or [])
        return super().experiment


class TrimHistory(Callback):
    """Removes the rows of steps that a resumed run repeats.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Keep the rows before the step at which training continues."""
        if not trainer.is_global_zero or not self.path.is_file():
            return
        with self.path.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            names, rows = list(reader.fieldnames or []), list(reader)
        # A row without a complete step was being written when the run was killed.
        rows = [row for row in rows if (row.get("step") or "").isdecimal() and int(row["step"]) < trainer.global_step]
        text = io.StringIO()
        table = csv.DictWriter(text, names, lineterminator="\n", extrasaction="ignore")
        table.writeheader()
        table.writerows(rows)
        write_text(self.path, text.getvalue())


class LearningRate(Callback):
    """Logs the learning rate of the last step of an epoch, as `lr-<optimiser>`.

    Lightning's own monitor writes a row of its own. Here the rate is in the row of the epoch's losses. An epoch that is
    continued in its middle has no first step.
    """

    def __init__(self) -> None:
        self.rates: dict[str, float] = {}

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        """Keep the rate of each optimiser; of several parameter groups the first."""
        self.rates = {f"lr-{type(one).__name__}": float(one.param_groups[0]["lr"]) for one in trainer.optimizers}

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Log the rate that was kept last."""
        pl_module.log_dict(self.rates, on_step=False, on_epoch=True, batch_size=1, sync_dist=True)
