"""`--early-stopping`: ends a training whose `val/dice` no longer rises."""

from __future__ import annotations

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import EarlyStopping as LightningEarlyStopping

from zoo.callbacks.checkpoints import MONITOR
from zoo.errors import ConfigError, RunError


class EarlyStopping(LightningEarlyStopping):
    """Stops after a number of validations in a row without a higher `val/dice`.

    Args:
        patience: The number of validations, from 1.

    Example:
        >>> EarlyStopping(patience=3).patience
        3
    """

    def __init__(self, patience: int = 10) -> None:
        if patience < 1:
            raise ConfigError(
                f"--early-stopping {patience} is no number of validations.", "Write `--early-stopping 10`."
            )
        super().__init__(monitor=MONITOR, mode="max", patience=patience)

    @property
    def has_stopped(self) -> bool:
        """Whether the patience is at its end, also in a run that was interrupted afterwards."""
        return self.wait_count >= self.patience

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """End a resumed run that was interrupted after its last epoch. Lightning would train one epoch more."""
        trainer.should_stop = trainer.should_stop or self.has_stopped

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Check, and refuse a model that has no such score.

        Raises:
            RunError: The model does not log `val/dice`.
        """
        if not trainer.sanity_checking and MONITOR not in trainer.callback_metrics:
            raise RunError(
                f"{type(pl_module).__name__} logs no {MONITOR}, which --early-stopping needs.",
                f"Leave the option out, or log {MONITOR} in validation_step.",
            )
        super().on_validation_end(trainer, pl_module)
