"""Writes one label image per case, in the geometry of the input."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer

from zoo.errors import RunError
from zoo.io.image import prediction_suffix, write_prediction
from zoo.types import CaseKey, Prediction
from zoo.utils.safe_text import to_file_name


class Predictions(Callback):
    """Writes what `predict_step` returns after each batch; nothing is kept in memory.

    Cases without a label are written to `<folder>-unlabelled`, apart from the test cases.

    Args:
        folder: The folder to write to, `<out>/predictions`.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.folder_of_unlabelled = folder.with_name(f"{folder.name}-unlabelled")
        self.written = self.written_unlabelled = 0
        self._unlabelled: frozenset[CaseKey] = frozenset()

    def on_predict_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Get the names of the cases without a label, if the data has such cases."""
        self._unlabelled = frozenset(getattr(getattr(trainer, "datamodule", None), "unlabelled", ()))

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
            unlabelled = prediction.key in self._unlabelled
            folder = self.folder_of_unlabelled if unlabelled else self.folder
            name = f"{to_file_name(str(prediction.key))}{prediction_suffix(prediction.geometry)}"
            write_prediction(folder / name, prediction)
            self.written += not unlabelled
            self.written_unlabelled += unlabelled

    def on_predict_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Count the cases of all ranks, so that rank 0 can print the number."""
        if trainer.world_size > 1:
            mine = (self.written, self.written_unlabelled)
            counts = [mine] * trainer.world_size
            torch.distributed.all_gather_object(counts, mine)
            self.written, self.written_unlabelled = (sum(found) for found in zip(*counts, strict=True))
