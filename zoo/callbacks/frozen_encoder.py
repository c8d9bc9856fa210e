"""`--freeze encoder`: the vision encoder keeps the weights with which the training starts."""

from __future__ import annotations

from collections.abc import Iterable

from lightning.pytorch import Callback, LightningModule, Trainer

from zoo.encoders.staged_encoder import find_vision_encoders
from zoo.errors import ConfigError


class FrozenEncoder(Callback):
    """Leaves the vision encoder out of the optimiser, and keeps the statistics of its normalisation.

    The encoder is in evaluation mode: batch normalisation and dropout do what they do in a test.

    Example:
        >>> from zoo import make_facts
        >>> from zoo.models import UNet
        >>> model = UNet(make_facts(["lesion"], patch=[16, 16]), vision="unet", width=4, stages=2)
        >>> FrozenEncoder().setup(Trainer(logger=False, enable_checkpointing=False), model, "fit")
        >>> any(weight.requires_grad for weight in model.vision.parameters())
        False
    """

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Freeze the weights, before the optimiser is built.

        Raises:
            ConfigError: The model has no vision encoder, or nothing else that is trained.
        """
        if stage != "fit":
            return
        encoders = find_vision_encoders(pl_module)
        if not encoders:
            raise ConfigError(
                f"--freeze encoder: {type(pl_module).__name__} has no vision encoder of its own.", "Leave out --freeze."
            )
        for encoder in encoders:
            encoder.requires_grad_(False)
        if not any(weight.requires_grad for weight in pl_module.parameters()):
            raise ConfigError(
                f"--freeze encoder: nothing else is trained in {type(pl_module).__name__}.", "Leave out --freeze."
            )

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Put the encoder into evaluation mode; Lightning has put the whole model into training mode."""
        for encoder in find_vision_encoders(pl_module):
            encoder.eval()


def is_frozen(callbacks: Iterable[object]) -> bool:
    """Return whether a training keeps the weights of its vision encoder."""
    return any(isinstance(one, FrozenEncoder) for one in callbacks)
