"""The optimiser, and the learning rate over the steps of a training: the options of every model."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from lightning.pytorch import Trainer
from torch import nn

from zoo.errors import ConfigError

OPTIMISERS = ("adamw", "sgd")
SCHEDULES = ("cosine", "poly")


@dataclass(frozen=True)
class OptimiserOptions:
    """The optimiser of a training. Peak rate, weight decay and warm-up are options of the model itself.

    Attributes:
        name: "adamw", or "sgd": stochastic gradient descent with Nesterov's momentum.
        momentum: Momentum of "sgd", in (0, 1).
        schedule: How the rate falls to zero after the warm-up. "cosine": half a cosine. "poly": the share of the steps
            that are left, to a power (nnU-Net: per epoch; here: per step).
        power: Power of "poly", above 0.

    Raises:
        ConfigError: An unknown name, or a number outside its range.

    Example:
        >>> OptimiserOptions(name="sgd", schedule="poly")
        OptimiserOptions(name='sgd', momentum=0.99, schedule='poly', power=0.9)
    """

    name: str = "adamw"
    momentum: float = 0.99
    schedule: str = "cosine"
    power: float = 0.9

    def __post_init__(self) -> None:
        for key, known in (("name", OPTIMISERS), ("schedule", SCHEDULES)):
            value = getattr(self, key)
            if value not in known:
                raise ConfigError(f"--model.optimiser.{key} {value!r} is unknown.", f"Use {' or '.join(known)}.")
        if not 0 < self.momentum < 1:
            raise ConfigError(
                f"--model.optimiser.momentum {self.momentum} is not between 0 and 1.", "nnU-Net has 0.99."
            )
        if not 0 < self.power < math.inf:
            raise ConfigError(f"--model.optimiser.power {self.power} is not above 0.", "nnU-Net has 0.9.")


def build_optimiser(
    parameters: Iterable[nn.Parameter], options: OptimiserOptions, lr: float, weight_decay: float, trainer: Trainer
) -> torch.optim.Optimizer:
    """Build the optimiser of the trained ones of some parameters, with one kernel for all where there is one."""
    trained = [weight for weight in parameters if weight.requires_grad]
    fused = has_fused_step(trainer)
    if options.name == "sgd":
        momentum = options.momentum
        return torch.optim.SGD(trained, lr, momentum, weight_decay=weight_decay, nesterov=True, fused=fused)
    return torch.optim.AdamW(trained, lr=lr, weight_decay=weight_decay, fused=fused)


def has_fused_step(trainer: Trainer) -> bool:
    """Whether one kernel can update all parameters: on the CPU and on CUDA, with two exceptions.

    The kernel undoes the scaling of 16-mixed itself. Therefore Lightning refuses to clip gradients in front of it, in
    any mixed precision.
    """
    clipped = trainer.precision.endswith("-mixed") and bool(trainer.gradient_clip_val)
    return trainer.strategy.root_device.type in ("cpu", "cuda") and trainer.precision != "16-mixed" and not clipped


def rate_over_steps(
    steps: int,
    warmup: float,
    options: OptimiserOptions = OptimiserOptions(),
) -> Callable[[int], float]:
    """Build the factor of the peak rate per step: a linear rise, then the schedule to zero.

    Args:
        steps: Steps of the training, 1 or more.
        warmup: Share of the steps in which the rate rises, in [0, 1].
        options: The schedule.

    Example:
        >>> factor = rate_over_steps(steps=10, warmup=0.2)
        >>> [round(factor(step), 2) for step in (0, 1, 2, 6, 10)]
        [0.5, 1.0, 1.0, 0.5, 0.0]
    """
    rising = max(round(warmup * steps), 1)

    def factor(step: int) -> float:
        if step < rising:
            return (step + 1) / rising
        done = (step - rising) / max(steps - rising, 1)
        if options.schedule == "poly":
            return float(max(1 - done, 0.0) ** options.power)
        return 0.5 * (1 + math.cos(math.pi * done))

    return factor
