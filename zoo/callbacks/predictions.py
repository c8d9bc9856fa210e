"""Writes one label image per case, in the geometry of the input."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer

from zoo.errors import RunError
from zoo.io.image import prediction_suffix, write_prediction
from zoo.types import Prediction
from zoo.utils.safe_text import to_file_name


class Predictions(Callback):
    """Writes what `predict_step` returns after each batch; nothing is kept in memory.

    Args:
        folder: The folder to write to, `<out>/predictions`.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.written = 0

    def on_predict_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Write the cases of a batch."""
        if not isinstance(outputs, list) or not all(isinstance(one, Prediction) for one in outputs):
            raise RunError(
                f"{type(pl_module).__name__}.predict_step returned {type(outputs).__name__}, not a list of Prediction.",
                "Return `zoo.types.Prediction`s.",
            )
        for prediction in outputs:
            write_prediction(
                self.folder / f"{to_file_name(str(prediction.key))}{prediction_suffix(prediction.geometry)}", prediction
            )
            self.written += 1

    def on_predict_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Count the cases of all ranks, so that rank 0 can print the number."""
        if trainer.world_size > 1:
            counts = [self.written] * trainer.world_size
            torch.distributed.all_gather_object(counts, self.written)
            self.written = sum(counts)
