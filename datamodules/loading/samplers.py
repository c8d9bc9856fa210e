"""The order of the cases: numbered draws for training, each case exactly once for evaluation.

A case here is an image with one query. A draw is a pure function of (seed, number). The number does not depend on
ranks or workers. Thus neither they nor a resumed run can change a draw.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import numpy as np
from torch.utils.data import Sampler


def generator(seed: int, draw: int, stream: int = 0) -> np.random.Generator:
    """The random generator of one draw; each stream of a draw (patch, augmentation) has its own."""
    return np.random.default_rng((seed, draw, stream))


@lru_cache(maxsize=4)
def _order(cases: int, seed: int, turn: int) -> tuple[int, ...]:
    return tuple(np.random.default_rng((seed, turn, 0xCA5E)).permutation(cases).tolist())


def case_of(draw: int, cases: int, seed: int) -> int:
    """The case of a draw. Every turn of `cases` draws has each case once, in an order of its own."""
    turn, position = divmod(draw, cases)
    return _order(cases, seed, turn)[position]


class DrawSampler(Sampler[tuple[int, int]]):
    """Training draws, divided among the ranks in turn.

    Args:
        cases: Number of training cases.
        samples: Draws of one epoch over all ranks.
        seed: Seed of the order.
        rank: Number of this process.
        world: Number of all processes.

    Yields:
        (case index, draw number). The draw number is epoch * samples + i; no number occurs twice.
    """

    def __init__(self, cases: int, samples: int, seed: int = 0, rank: int = 0, world: int = 1) -> None:
        self.cases, self.samples, self.seed, self.rank, self.world = cases, samples, seed, rank, world
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch. The trainer calls it before each epoch, also after a resume."""
        self.epoch = epoch

    def __len__(self) -> int:
        return len(range(self.rank, self.samples, self.world))

    def __iter__(self) -> Iterator[tuple[int, int]]:
        first = self.epoch * self.samples
        for draw in range(first + self.rank, first + self.samples, self.world):
            yield case_of(draw, self.cases, self.seed), draw


class ExactOnceSampler(Sampler[int]):
    """Each case exactly once over all ranks. Torch's sampler repeats cases, so that all ranks have equally many.

    Args:
        cases: Number of cases.
        rank: Number of this process.
        world: Number of all processes.
    """

    def __init__(self, cases: int, rank: int = 0, world: int = 1) -> None:
        self.indices = range(rank, cases, world)

    def __len__(self) -> int:
        return len(self.indices)

    def __iter__(self) -> Iterator[int]:
        return iter(self.indices)
