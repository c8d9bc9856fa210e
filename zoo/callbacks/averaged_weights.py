"""`--ema`: an exponential moving average of the weights, which is validated, selected and tested."""

from __future__ import annotations

from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import WeightAveraging
from torch import Tensor

from zoo.errors import ConfigError


class AveragedWeights(WeightAveraging):
    """Averages parameters and buffers after each optimiser step: `average = d average + (1 - d) weights`.

    After n steps d is the smaller one of `decay` and (1 + n) / (10 + n). With a constant d, the average of a short run
    would consist of its random start. Validation and `val/dice` use the average. In a checkpoint, `state_dict` is the
    average, which `zoo test` loads, and `current_model_state` has the trained weights, with which a resumed run
    continues.

    Args:
        decay: The largest d, in (0, 1).

    Example:
        >>> AveragedWeights(decay=0.99).decay
        0.99
    """

    def __init__(self, decay: float = 0.999) -> None:
        if not 0 < decay < 1:
            raise ConfigError(f"--ema {decay} is not between 0 and 1.", "Write `--ema 0.999`.")
        self.decay = decay
        self._is_swapped = False
        super().__init__(avg_fn=self._average)

    def _average(self, average: Tensor, weight: Tensor, steps: Tensor | int) -> Tensor:
        decay = min(self.decay, (1 + int(steps)) / (10 + int(steps)))
        return average + (1 - decay) * (weight - average)

    def _swap_models(self, pl_module: LightningModule) -> None:
        super()._swap_models(pl_module)
        self._is_swapped = not self._is_swapped

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Store both kinds of weights, also where SIGTERM ends a validation, in which the model has the average."""
        super().on_save_checkpoint(trainer, pl_module, checkpoint)
        if self._is_swapped:
            trained, average = checkpoint["state_dict"], checkpoint["current_model_state"]
            checkpoint |= {"state_dict": average, "current_model_state": trained}

    def on_load_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Load both kinds of weights for training; an evaluation needs the average only, which is loaded already."""
        if self._average_model is not None:
            super().on_load_checkpoint(trainer, pl_module, checkpoint)
