"""A small model with every kind of state, which sends SIGTERM to its own process at a chosen place."""

from __future__ import annotations

import ctypes
import os
import signal
from typing import Any

import torch
from torch import Tensor, nn

from zoo.models.base import SegModule
from zoo.models.output import Output
from zoo.types import Batch, Text

PLACE = "TERMINATED_AT"
"""The variable with the place: "forward 1 2" (epoch and batch), "update 1 2" or "validation 1 0"."""


LONG = "TERMINATED_IN_A_LONG_CALL"
"""The variable that makes the place a call of a library that lasts a minute."""


class TerminatedModel(SegModule):
    """Convolutions with batch normalisation and dropout."""

    def __init__(self, facts: dict[str, Any], **kwargs: Any) -> None:
        super().__init__(facts, **kwargs)
        layers = [nn.Conv2d(self.facts.in_channels, 4, 3, padding=1), nn.BatchNorm2d(4), nn.Dropout(0.5)]
        self.net = nn.Sequential(*layers, nn.Conv2d(4, self.facts.labels.channels, 1))
        self.batch = 0

    def forward_features(self, image: Tensor, text: Text) -> Output:
        return Output(self.net(image))

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        self.batch = batch_idx
        loss = super().training_step(batch, batch_idx)
        self.send("forward", batch_idx)
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        self.send("validation", batch_idx)
        super().validation_step(batch, batch_idx)

    def optimizer_step(self, *arguments: Any, **more: Any) -> None:
        super().optimizer_step(*arguments, **more)
        self.send("update", self.batch)

    def send(self, what: str, batch: int) -> None:
        if os.environ.get(PLACE) == f"{what} {self.current_epoch} {batch}":
            if what != "update":
                torch.rand(1)  # an unfinished step may have drawn numbers
            if LONG in os.environ:
                signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])  # as if the signal did not end the call
            os.kill(os.getpid(), signal.SIGTERM)
            ctypes.CDLL(None).usleep(60_000_000 if LONG in os.environ else 50_000)  # Python handles the signal after it
