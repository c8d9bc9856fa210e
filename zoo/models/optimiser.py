"""The step of the optimiser, and the learning rate over the steps of a training."""

from __future__ import annotations

import math
from collections.abc import Callable

from lightning.pytorch import Trainer


def has_fused_step(trainer: Trainer) -> bool:
    """Whether one kernel can update all parameters: on the CPU and on CUDA, with two exceptions.

    The kernel undoes the scaling of 16-mixed itself. Therefore Lightning refuses to clip gradients in front of it, in
    any mixed precision.
    """
    clipped = trainer.precision.endswith("-mixed") and bool(trainer.gradient_clip_val)
    return trainer.strategy.root_device.type in ("cpu", "cuda") and trainer.precision != "16-mixed" and not clipped


def warm_up_then_cosine(steps: int, warmup: float) -> Callable[[int], float]:
    """Build the factor of the peak rate per step: a linear rise, then a cosine to zero.

    Args:
        steps: Steps of the training, 1 or more.
        warmup: Share of the steps in which the rate rises, in [0, 1].

    Example:
        >>> factor = warm_up_then_cosine(steps=10, warmup=0.2)
        >>> [round(factor(step), 2) for step in (0, 1, 2, 6, 10)]
        [0.5, 1.0, 1.0, 0.5, 0.0]
    """
    rising = max(round(warmup * steps), 1)

    def factor(step: int) -> float:
        if step < rising:
            return (step + 1) / rising
        return 0.5 * (1 + math.cos(math.pi * (step - rising) / max(steps - rising, 1)))

    return factor
