"""Gaussian noise of a network: drawn in training, absent in evaluation, or drawn there from a seed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class Noise(nn.Dropout):
    """Draws Gaussian noise of a given deviation in training. In evaluation the noise is 0.

    It is a kind of dropout, so that whatever turns off the draws of a network turns off this one too.

    Attributes:
        generator: In evaluation, the source of noise that is the same for each image; None: no noise.

    Example:
        >>> Noise().eval()(torch.ones(2, 3)).tolist()
        [[0.0, 0.0, 0.0], [0.0, 0.0, 0.0]]
    """

    def __init__(self) -> None:
        super().__init__()
        self.generator: torch.Generator | None = None

    def forward(self, input: Tensor) -> Tensor:
        """Draw noise of the deviations [B, ...]."""
        if self.training:
            return input * torch.randn_like(input)
        if self.generator is None:
            return 0 * input
        shape = (1, *input.shape[1:])
        return input * torch.randn(shape, generator=self.generator, device=input.device, dtype=input.dtype)


@contextmanager
def seed_noise(module: nn.Module, seed: int) -> Iterator[None]:
    """Let the noises of a module in evaluation draw from a seed."""
    parts = [part for part in module.modules() if isinstance(part, Noise)]
    device = next(module.parameters()).device
    for number, part in enumerate(parts):
        part.generator = torch.Generator(device).manual_seed(seed * len(parts) + number)
    try:
        yield
    finally:
        for part in parts:
            part.generator = None
