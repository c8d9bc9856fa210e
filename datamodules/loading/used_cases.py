"""The cases that a run uses, where the trainer or the data set is limited: only those need to be prepared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from datamodules.loading.samplers import case_of
from zoo.types import Case
from zoo.utils.batch_limits import limit_batches

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class TrainerLimits:
    """The limits of Lightning's trainer: a number of batches, or a share of them.

    Attributes:
        train: Batches per training epoch.
        val: Batches per validation.
        test: Batches of the test.
        predict: Batches of the prediction.
        epochs: Number of epochs; None without a limit.
        steps: Number of optimiser steps; None without a limit.
        accumulate: Batches per step.
    """

    train: int | float = 1.0
    val: int | float = 1.0
    test: int | float = 1.0
    predict: int | float = 1.0
    epochs: int | None = None
    steps: int | None = None
    accumulate: int = 1

    @classmethod
    def of(cls, trainer: Any) -> TrainerLimits:
        """The limits of a trainer; without a trainer there are none."""
        if trainer is None:
            return cls()
        batches = {key: getattr(trainer, f"limit_{key}_batches", None) for key in ("train", "val", "test", "predict")}
        epochs, steps = (getattr(trainer, key, None) for key in ("max_epochs", "max_steps"))
        return cls(
            **{key: 1.0 if limit is None else limit for key, limit in batches.items()},
            epochs=None if epochs is None or epochs < 0 else epochs,
            steps=None if steps is None or steps < 0 else steps,
            accumulate=getattr(trainer, "accumulate_grad_batches", 1) or 1,
        )

    def of_split(self, split: str) -> int | float:
        """The limit of an evaluation split; the test cases are also those of the prediction."""
        return self.val if split == "val" else self.test

    @property
    def batches(self) -> int | None:
        """Training batches that the steps allow; None without a limit of the steps."""
        return None if self.steps is None else self.steps * self.accumulate

    def batches_per_epoch(self, whole: int) -> int:
        """Training batches of an epoch that has this number of whole batches."""
        most = limit_batches(whole, self.train)
        return most if self.batches is None else min(most, self.batches)


NO_LIMITS = TrainerLimits()


def used_in_training(cases: Sequence[T], samples: int, batch_size: int, seed: int, limits: TrainerLimits) -> list[T]:
    """The training cases that a run draws, in the order of the cases; all of them where nothing limits the run.

    Args:
        cases: The training cases.
        samples: Draws of one whole epoch over all processes.
        batch_size: Samples of a batch over all processes.
        seed: Seed of the draws.
        limits: The limits of the trainer.
    """
    whole, per_epoch = samples // batch_size, limits.batches_per_epoch(samples // batch_size)
    by_epochs = None if limits.epochs is None else limits.epochs * per_epoch
    total = min((number for number in (limits.batches, by_epochs) if number is not None), default=None)
    if total is None or total * batch_size >= 4 * len(cases):  # so many draws miss hardly any case
        return list(cases)
    used = {0} if total and cases else set()  # the first case gives the channels of all
    for batch in range(total):
        epoch, number = divmod(batch, per_epoch)
        first = (epoch * whole + number) * batch_size
        used |= {case_of(draw, len(cases), seed) for draw in range(first, first + batch_size)}
    return [case for number, case in enumerate(cases) if number in used]


def used_in_evaluation(cases: Sequence[T], batch_size: int, world: int, limit: int | float) -> list[T]:
    """The first cases of a split that an evaluation visits on all processes.

    Args:
        cases: The cases of the split.
        batch_size: Samples of a batch of one process.
        world: Number of processes.
        limit: The limit of the trainer.
    """
    mine = -(-len(cases) // world)
    batches = limit_batches(-(-mine // batch_size), limit)
    return list(cases[: batches * batch_size * world])


def spread_cases(cases: Sequence[Case], count: int) -> list[Case]:
    """At most some cases, at even distances in the order of their keys, so that they do not depend on the file order.

    Args:
        cases: The cases, in any order.
        count: The largest number of cases, from 1.

    Returns:
        The chosen cases, in the order of `cases`.
    """
    if count >= len(cases):
        return list(cases)
    ordered = sorted(case.key for case in cases)
    chosen = {ordered[(2 * i + 1) * len(ordered) // (2 * count)] for i in range(count)}
    return [case for case in cases if case.key in chosen]
