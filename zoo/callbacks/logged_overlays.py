"""Pictures of three validation cases in the loggers of a training: the same cases every few epochs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.loggers import Logger, MLFlowLogger, TensorBoardLogger, WandbLogger
from PIL import Image
from torch import Tensor

from zoo.callbacks.overlays import masks_by_class
from zoo.errors import ConfigError
from zoo.types import CaseKey, Native, Prediction
from zoo.utils.safe_text import to_file_name
from zoo.visualization.overlay import draw_overlay
from zoo.visualization.slice_choice import ARRAYS, choose_plane, extract_plane

KEPT = 3
"""Number of cases."""


class LoggedOverlays(Callback):
    """Draws the outlines of label and prediction, and gives the pictures to TensorBoard, W&B and MLflow.

    The cases are the first three validation cases of the first process with a class in the label. They do not depend on
    the model, the seed or the epoch. The callback changes no weight and no random number of the training.

    Args:
        every: Epochs between two pictures of a case, from 1; the last epoch has pictures too.
    """

    def __init__(self, every: int = 5) -> None:
        if every < 1:
            raise ConfigError(f"--overlays {every} is no number of epochs.", "Write `--overlays 5`.")
        self.every = every
        self._cases: list[CaseKey] = []
        self._left: set[CaseKey] = set()
        self._due = False

    def on_validation_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Find out whether this epoch has pictures."""
        epoch = trainer.current_epoch + 1
        last = epoch == trainer.max_epochs
        able = hasattr(pl_module, "facts") and any(map(takes_pictures, trainer.loggers))
        fitting = trainer.state.fn == "fit" and not trainer.sanity_checking
        self._due = fitting and able and trainer.is_global_zero and (last or epoch % self.every == 0)
        self._left = set(self._cases)

    def on_validation_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Draw those of the cases that are in this batch."""
        if not self._due or batch.get("spare") or (len(self._cases) == KEPT and not self._left):
            return
        natives: list[Native] = batch.get("native") or []
        for place, native in enumerate(natives):
            key = CaseKey(batch["case_id"][place], (batch.get("query") or [""] * len(natives))[place])
            new = len(self._cases) < KEPT and key not in self._cases and native.label is not None and native.label.any()
            if not new and key not in self._left:
                continue
            self._cases += [key] if new else []
            self._left.discard(key)
            with trainer.precision_plugin.val_step_context():
                (prediction,) = pl_module.predict_step(take_case(batch, place), 0)
            picture = draw_case(batch["image"][place], native, prediction, pl_module.facts.labels)  # type: ignore[union-attr]
            for logger in trainer.loggers:
                log_picture(logger, str(key), picture, trainer.current_epoch + 1)


def take_case(batch: Mapping[str, Any], place: int) -> dict[str, Any]:
    """Return the batch of one case of a batch."""
    return {
        name: value[place : place + 1] if isinstance(value, Tensor | list) else value for name, value in batch.items()
    }


def draw_case(image: Tensor, native: Native, prediction: Prediction, labels: Any) -> Image.Image:
    """Draw a case with the outlines of all classes; of a volume the slice with most of its label.

    Args:
        image: [C, *S], on the grid of the network.
        native: Label and geometry.
        prediction: The prediction.
        labels: The label space.
    """
    truth = np.asarray(native.label)
    plane = choose_plane(truth, prediction.mask, native.geometry)
    if plane is not None:
        axis = 1 + plane.axis
        image = image.select(axis, plane.on_network(native.geometry, image.shape[axis]))
    arrays = extract_plane(image.float().cpu().numpy(), truth, prediction.mask, native.geometry, plane)
    pixels, label, found, extent = (arrays[name] for name in ARRAYS)
    return draw_overlay(pixels, masks_by_class(label, labels), masks_by_class(found, labels), extent.tolist())


def takes_pictures(logger: Logger) -> bool:
    """Return whether a logger takes pictures."""
    return isinstance(logger, TensorBoardLogger | WandbLogger | MLFlowLogger)


def log_picture(logger: Logger, case: str, picture: Image.Image, epoch: int) -> None:
    """Give a picture to a logger; one that takes none is passed over.

    Args:
        logger: The logger.
        case: Name of the case.
        picture: The picture.
        epoch: The epoch, from 1.
    """
    name = f"overlays/{to_file_name(case)}"
    colours = picture.convert("RGB")
    if isinstance(logger, TensorBoardLogger):
        logger.experiment.add_image(name, np.asarray(colours), epoch, dataformats="HWC")
    elif isinstance(logger, WandbLogger):
        logger.log_image(name, [colours], caption=[f"epoch {epoch}"])
    elif isinstance(logger, MLFlowLogger):
        logger.experiment.log_image(logger.run_id, colours, artifact_file=f"{name}-{epoch:04d}.png")
