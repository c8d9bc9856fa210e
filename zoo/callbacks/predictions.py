"""Writes one label image per case, in the geometry of the input."""

from __future__ import annotations

from collections.abc import Mapping
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

    Cases without a label are written to `<folder>-unlabelled`, and those of other data than the run's own to
    `<folder>-<hash of the data>`, so that they replace no predictions of the test cases.

    Args:
        folder: The folder to write to, `<out>/predictions`.
        trained: The manifest of the run, which has the hashes of its data; None where they are unknown.
    """

    def __init__(self, folder: Path, trained: Mapping[str, Any] | None = None) -> None:
        self.folder = folder
        self.trained = trained or {}
        self.folder_of_unlabelled = folder.with_name(f"{folder.name}-unlabelled")
        self.written = self.written_unlabelled = 0
        self._unlabelled: frozenset[CaseKey] = frozenset()

    def on_predict_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Find out which cases have no label, and whether the data is that of the run."""
        data = getattr(trainer, "datamodule", None)
        self._unlabelled = frozenset(getattr(data, "unlabelled", ()))
        other = _hash_of_other_data(self.trained, data)
        if other:
            self.folder = self.folder.with_name(f"{self.folder.name}-{other[:12]}")

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


def _hash_of_other_data(trained: Mapping[str, Any], data: Any) -> str:
    """Return the hash of data that the run was not trained with; empty for the data of the run, or if it is unknown."""
    tested, _ = getattr(data, "cases_to_predict", (True, None))
    for key in ("split_hash", "data_hash") if tested else ():
        now = getattr(data, key, None)
        if now and trained.get(key) and now != trained[key]:
            return str(now)
    return ""
