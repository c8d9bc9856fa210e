"""Faster training steps of a GPU: a compiled network, and weights and images with their channels last."""

from __future__ import annotations

from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor

from zoo.errors import ConfigError
from zoo.models.base import SegModule


class FasterSteps(Callback):
    """Changes how a training step is computed, and not what: results differ from those without it by rounding.

    Both options are part of the identity of a run. The trainer preset `gpu_fast` sets both. Validation and test run the
    network as it is, because their images have other shapes.

    Args:
        compile: Compile the network of a training step by `torch.compile`. Its patches have one shape.
        channels_last: Store weights of convolutions and images with their channels last.

    Raises:
        ConfigError: Neither is asked for.

    Example:
        >>> FasterSteps(compile=True).channels_last
        False
    """

    def __init__(self, compile: bool = False, channels_last: bool = False) -> None:
        if not (compile or channels_last):
            raise ConfigError("zoo.callbacks.FasterSteps changes nothing.", "Set `compile` or `channels_last` to true.")
        self.compile = compile
        self.channels_last = channels_last

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Change the model, before the optimiser is made.

        Raises:
            ConfigError: The model is no `SegModule`.
        """
        if not isinstance(pl_module, SegModule):
            raise ConfigError(
                f"zoo.callbacks.FasterSteps: {type(pl_module).__name__} is no SegModule.", "Leave the callback out."
            )
        if self.channels_last:
            for weight in pl_module.parameters():
                weight.data = _channels_last(weight.data)
        if self.compile:
            pl_module.training_features = torch.compile(pl_module.forward_features)

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        """Put the channels of the images last."""
        if self.channels_last:
            batch["image"] = _channels_last(batch["image"])

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Drop the compiled network, which a copy of the model must not share."""
        if isinstance(pl_module, SegModule):
            pl_module.training_features = None


def _channels_last(tensor: Tensor) -> Tensor:
    """Return a tensor with four or five axes with its channels last; another tensor as it is."""
    formats = {4: torch.channels_last, 5: torch.channels_last_3d}
    return tensor.contiguous(memory_format=formats[tensor.ndim]) if tensor.ndim in formats else tensor
